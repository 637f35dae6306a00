import json
import re
import shlex

import pytest

from deploy.compose.make_keys import SECRETS, is_loopback, refuse_public_secrets, welcome
from tests.unit.deploy.files import compose_variables, compose_with_defaults

KEY_FORM = re.compile(r"drv_[0-9a-z]{4,32}_[0-9A-Za-z_-]{16,128}")


@pytest.fixture
def own_secrets(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment in which nothing is public, open to everybody."""
    for name in SECRETS:
        monkeypatch.setenv(name, f"of-our-own-{name}")
    monkeypatch.setenv("DROVER_BIND", "0.0.0.0")
    return monkeypatch


def test_own_secrets_may_be_open_to_others(own_secrets: pytest.MonkeyPatch) -> None:
    refuse_public_secrets()


@pytest.mark.parametrize("name", SECRETS)
def test_one_public_secret_keeps_the_door_shut(own_secrets: pytest.MonkeyPatch, name: str) -> None:
    own_secrets.setenv(name, compose_with_defaults()["services"]["keys"]["environment"][name])

    with pytest.raises(SystemExit, match=r"DROVER_BIND=0\.0\.0\.0 lets other machines in"):
        refuse_public_secrets()


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.2", "::1", "[::1]", "localhost"])
def test_on_this_machine_alone_public_secrets_do(own_secrets: pytest.MonkeyPatch, address: str) -> None:
    own_secrets.setenv("DROVER_API_KEY", "drv_devuser_development-only-change-me")
    own_secrets.setenv("DROVER_BIND", address)

    refuse_public_secrets()


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "", "192.168.0.7", "example.org"])
def test_other_addresses_are_not_this_machine_alone(address: str) -> None:
    assert not is_loopback(address)


@pytest.mark.parametrize("name", ["DROVER_API_KEY", "DROVER_ADMIN_KEY"])
def test_the_public_keys_have_the_form_of_keys(name: str) -> None:
    assert KEY_FORM.fullmatch(compose_variables()[name])


def test_the_line_of_curl_can_be_pasted() -> None:
    key = compose_variables()["DROVER_API_KEY"]

    words = shlex.split(welcome("127.0.0.1", "8080", key).splitlines()[-1])

    assert words[:3] == ["curl", "-N", "http://127.0.0.1:8080/v1/chat/completions"]
    assert f"Authorization: Bearer {key}" in words
    assert json.loads(words[-1])["model"] == "drover-tiny"


def test_a_key_that_is_not_public_is_not_logged() -> None:
    said = welcome("0.0.0.0", "80", "drv_abcd_0123456789abcdef0123")

    assert "0123456789abcdef" not in said
    assert "http://127.0.0.1:80/" in said
