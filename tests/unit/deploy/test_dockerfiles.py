"""The Dockerfiles keep DESIGN's rules: shared and one service, no root, one process, everything by hash."""

import re
from pathlib import Path

import pytest

from tests.unit.deploy.files import ROOT

SERVICES = ("gateway", "worker", "session_service", "embedding_service")
IMAGES = (*SERVICES, "cli")
WITH_LLAMA = ("worker", "session_service", "embedding_service")


def text_of(image: str) -> str:
    """The Dockerfile with its continued lines joined."""
    return (ROOT / image / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")


def stages_of(image: str) -> dict[str, list[str]]:
    """The instructions of each stage, the last one under ''."""
    stages: dict[str, list[str]] = {}
    for line in text_of(image).splitlines():
        if match := re.fullmatch(r"FROM (\S+)(?: AS (\w+))?", line):
            stages[match[2] or ""] = [line]
        elif stages and line and not line.startswith("#"):
            stages[next(reversed(stages))].append(line)
    return stages


def final_stage(image: str) -> list[str]:
    return stages_of(image)[""]


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_holds_shared_and_one_service(image: str) -> None:
    packages = {*IMAGES, "shared", "models"}
    copied = {
        source.split("/")[0]
        for line in re.findall(r"^COPY (?!--from)(.+)$", text_of(image), re.MULTILINE)
        for source in line.split()[:-1]
    }

    assert copied & packages - ({"models"} if image == "cli" else set()) == {"shared", image}


@pytest.mark.parametrize("image", IMAGES)
def test_nobody_is_root(image: str) -> None:
    users = [line for line in final_stage(image) if line.startswith("USER")]

    assert users == ["USER 10001:10001"]


@pytest.mark.parametrize("image", IMAGES)
def test_the_entry_is_one_process_without_a_shell(image: str) -> None:
    entries = [line for line in final_stage(image) if line.startswith(("ENTRYPOINT", "CMD"))]

    assert entries == [f'ENTRYPOINT ["python", "-m", "{image}.main"]']


@pytest.mark.parametrize("image", IMAGES)
def test_the_last_stage_installs_and_compiles_nothing(image: str) -> None:
    runs = [line for line in final_stage(image) if line.startswith("RUN")]

    assert runs == ["RUN install --directory --owner 10001 --group 10001 /models"]


@pytest.mark.parametrize("image", IMAGES)
def test_every_package_is_checked_by_its_hash(image: str) -> None:
    installs = [line for line in text_of(image).splitlines() if "pip" in line and "install" in line and "RUN" in line]
    pips = [line for line in installs if re.search(r"pip(?: --python \S+)? install", line)]

    assert pips
    assert [line for line in pips if "--require-hashes" not in line] == []


@pytest.mark.parametrize("image", SERVICES)
def test_a_service_says_whether_it_lives(image: str) -> None:
    checks = [line for line in final_stage(image) if line.startswith("HEALTHCHECK")]

    assert len(checks) == 1
    assert '"/livez"' in checks[0]
    assert "curl" not in checks[0]


def test_llama_cpp_is_compiled_by_the_same_words_everywhere() -> None:
    stages = {tuple(stages_of(image)["llama"]) for image in WITH_LLAMA}

    assert len(stages) == 1
    assert "GGML_NATIVE=OFF" in " ".join(stages.pop())


def test_the_gateway_has_no_llama_cpp() -> None:
    assert "llama" not in stages_of("gateway")
    assert "llama-cpp-python" not in (ROOT / "requirements" / "gateway.lock").read_text(encoding="utf-8")


def test_nothing_but_what_is_copied_gets_into_the_context() -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    ignored = [line for line in lines if line and not line.startswith("#")]
    let_in = {line[1:].split("/")[0] for line in ignored if line.startswith("!")}

    assert ignored[0] == "*"
    assert let_in == {*IMAGES, "shared", "models", "deploy", "requirements", "pyproject.toml"}


@pytest.mark.parametrize("image", IMAGES)
def test_what_is_copied_exists(image: str) -> None:
    sources = [
        source
        for line in re.findall(r"^COPY (?!--from)(.+)$", text_of(image), re.MULTILINE)
        for source in line.split()[:-1]
    ]

    assert [source for source in sources if not Path(ROOT / source).exists()] == []
