"""The Lua scripts, read from the files beside this one."""

from functools import cache
from pathlib import Path
from typing import Literal, get_args

ScriptName = Literal[
    "accept",
    "claim",
    "append",
    "renew",
    "finish",
    "release",
    "cancel",
    "reap",
    "settle",
    "announce",
    "attend",
    "waiting",
    "quarantine",
]

SCRIPT_NAMES: tuple[ScriptName, ...] = get_args(ScriptName)

_FOLDER = Path(__file__).parent

# These run once a token or once a lease, and lib.lua's functions would be built anew at each run.
_WITHOUT_LIB = ("append", "renew", "announce")


@cache
def source_of(name: ScriptName) -> str:
    """The script's whole text: lib.lua, where it is needed, then its own file."""
    own = (_FOLDER / f"{name}.lua").read_text(encoding="utf-8")
    if name in _WITHOUT_LIB:
        return own
    return (_FOLDER / "lib.lua").read_text(encoding="utf-8") + own
