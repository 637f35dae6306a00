from collections.abc import Callable

import pytest

from k8s.check import __main__ as command
from k8s.check.manifest import Overlay
from k8s.check.rendering import all_overlays


def test_it_tells_of_every_overlay_and_every_check(capsys: pytest.CaptureFixture[str]) -> None:
    status = command.check_all()

    said = capsys.readouterr().out
    assert status == 0
    assert all(f"{name}: " in said for name in all_overlays())
    assert said.count(": ok\n") == len(all_overlays()) * len(command.CHECKS)


def test_a_problem_is_told_and_the_status_is_1(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    local: Overlay,
    without: Callable[..., Overlay],
) -> None:
    broken = without(local, "ConfigMap", "models-catalogue")
    monkeypatch.setattr(command, "overlay", lambda _name: broken)

    status = command.check_all()

    assert status == 1
    assert "references: " in (said := capsys.readouterr().out)
    assert "there is no ConfigMap models-catalogue" in said
