"""Finds the fault tests: every module `test_f<number>_….py` that has a `scenario`."""

import importlib.util
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from tests.fault.arena import Arena

_HERE = Path(__file__).parent


@dataclass(frozen=True)
class FaultTest:
    """`name` is F1, F2, …; `title` the first line of its module."""

    name: str
    title: str
    scenario: Callable[[Arena], None]


def fault_tests() -> list[FaultTest]:
    """All of them, in the order of their numbers."""
    found = [_read(path) for path in _HERE.glob("test_f[0-9]*.py")]
    return sorted((test for test in found if test), key=lambda test: int(test.name[1:]))


def _read(path: Path) -> FaultTest | None:
    module = _module(path)
    number = re.match(r"test_f0*(\d+)_", path.name)
    if number is None or not hasattr(module, "scenario"):
        return None
    return FaultTest(f"F{number[1]}", (module.__doc__ or "").splitlines()[0], module.scenario)


def _module(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"tests.fault.{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
