"""docs/cli.md: what it shows works when it is pasted."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[3] / "docs" / "cli.md"
BLOCKS = re.findall(r"```sh\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.skipif("CI" not in os.environ and not shutil.which("jq"), reason="needs jq")
def test_every_example_works(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "cities.txt").write_text("Paris\nRome\n")
    variables = {**environment, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"}
    *independent, about_the_newest_session = BLOCKS

    def begin(block: str) -> subprocess.Popen[str]:
        command = ["bash", "-e", "-u", "-o", "pipefail", "-c", block]
        pipe = subprocess.PIPE
        return subprocess.Popen(
            command, cwd=tmp_path, env=variables, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True
        )

    told = [(process.communicate(timeout=110), process) for process in [begin(block) for block in independent]]
    with begin(about_the_newest_session) as last:
        told.append((last.communicate(timeout=110), last))

    for (_, errors), process in told:
        assert (process.returncode, errors) == (0, ""), process.args
    assert "sess_" in told[-1][0][0]
    assert (tmp_path / "vectors.npy").read_bytes().startswith(b"\x93NUMPY")
    assert (tmp_path / "talk.md").read_text().startswith("# Capitals")
