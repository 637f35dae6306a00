from pathlib import Path

import pytest

from shared.ledger import keys, scripts


def test_every_lua_file_is_a_script_or_the_library() -> None:
    files = {path.stem for path in Path(scripts.__file__).parent.glob("*.lua")}

    assert files - {"demand", "refuse"} == {*scripts.SCRIPT_NAMES, "lib"}  # placement runs these two by itself


def test_the_token_path_does_not_carry_the_library() -> None:
    assert "finalise" not in scripts.source_of("append")
    assert "local function finalise" in scripts.source_of("finish")


@pytest.mark.parametrize(
    ("key", "in_lua"),
    [
        (keys.job_key("x"), "'job:' .."),
        (keys.log_key("x"), "'tok:' .."),
        (keys.channel_of("x"), "'c:' .."),
        (keys.queued_key("m"), "'jobs:queued:' .."),
        (keys.quarantined_key("m"), "'jobs:quarantined:' .."),
        (keys.worker_key("x"), "'worker:' .."),
        (keys.OUTBOX, "'turns:final'"),
        (keys.DEAD, "'jobs:dead'"),
        (keys.WORKERS, "'workers'"),
    ],
)
def test_python_and_lua_name_the_same_keys(key: str, in_lua: str) -> None:
    sources = "".join(scripts.source_of(name) for name in scripts.SCRIPT_NAMES)

    assert in_lua in sources
    assert key.startswith(in_lua.split("'")[1])
