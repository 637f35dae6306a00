"""What an image installs is what the project's lock says, and all that its service needs."""

import re
import tomllib

import pytest
from packaging.requirements import Requirement

from tests.unit.deploy.files import ROOT

EXTRAS = ("gateway", "worker", "session", "embedding", "cli")
BUILD_TOOLS = {"cmake", "ninja", "pathspec", "scikit-build-core", "packaging"}

Pins = dict[str, set[str]]


def pins_of(path: str) -> Pins:
    """Each `name==version ; marker` of a lock with its hashes."""
    text = (ROOT / path).read_text(encoding="utf-8").replace("\\\n", "")
    lines = [line for line in text.splitlines() if line and not line.lstrip().startswith("#")]
    return {line.split(" --hash")[0].split(" ;")[0].strip(): set(re.findall(r"sha256:(\w+)", line)) for line in lines}


def names_in(pins: Pins) -> set[str]:
    return {pin.split("==")[0] for pin in pins}


def name_of(requirement: str) -> str:
    return re.sub(r"[-_.]+", "-", Requirement(requirement).name).lower()


@pytest.fixture(scope="module")
def project_lock() -> Pins:
    return pins_of("requirements.lock")


@pytest.mark.parametrize("extra", EXTRAS)
def test_an_image_has_the_versions_and_hashes_of_the_project(extra: str, project_lock: Pins) -> None:
    pins = pins_of(f"requirements/{extra}.lock")

    assert {pin for pin, hashes in pins.items() if project_lock.get(pin) != hashes} == set(), "run `make image-locks`"


@pytest.mark.parametrize("extra", EXTRAS)
def test_an_image_has_all_that_its_service_names(extra: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = {name_of(each) for each in [*project["dependencies"], *project["optional-dependencies"][extra]]}

    missing = named - names_in(pins_of(f"requirements/{extra}.lock")) - {"llama-cpp-python"}

    assert missing == set(), "run `make image-locks`"


def test_llama_cpp_has_the_projects_version(project_lock: Pins) -> None:
    pins = pins_of("requirements/llama.lock")

    assert names_in(pins) == {"llama-cpp-python"}
    assert {pin for pin, hashes in pins.items() if project_lock.get(pin) != hashes} == set(), "run `make image-locks`"


def test_a_services_image_has_nothing_that_only_others_need() -> None:
    unwanted = {"gateway": {"sqlalchemy", "numpy"}, "worker": {"fastapi", "sqlalchemy"}, "embedding": {"celery"}}

    found = {extra: names & names_in(pins_of(f"requirements/{extra}.lock")) for extra, names in unwanted.items()}

    assert found == {"gateway": set(), "worker": set(), "embedding": set()}
