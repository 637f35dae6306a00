"""The secrets of a stack."""

import json
from pathlib import Path

import pytest

from cli.stack.errors import StackError
from cli.stack.secrets_file import StackSecrets


def test_secrets_are_made_once_and_found_again(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"

    made = StackSecrets.load_or_create(path)

    assert StackSecrets.load_or_create(path) == made
    assert len({made.key_pepper, made.internal_token, made.redis_password, made.postgres_password}) == 4


def test_only_the_owner_can_read_them(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"

    StackSecrets.load_or_create(path)

    assert path.stat().st_mode & 0o777 == 0o600


def test_keys_are_added_to_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    made = StackSecrets.load_or_create(path)

    made.with_keys("drv_user", "drv_admin").save(path)

    found = StackSecrets.load_or_create(path)
    assert (found.api_key, found.admin_key) == ("drv_user", "drv_admin")
    assert found.key_pepper == made.key_pepper


def test_a_damaged_file_is_named_instead_of_replaced(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    path.write_text(json.dumps({"key_pepper": 7}))

    with pytest.raises(StackError, match=str(path)):
        StackSecrets.load_or_create(path)


def test_no_secret_shows_in_the_printed_form(tmp_path: Path) -> None:
    made = StackSecrets.load_or_create(tmp_path / "secrets.json").with_keys("drv_user", "drv_admin")

    assert not any(secret in repr(made) for secret in (made.key_pepper, made.internal_token, "drv_user", "drv_admin"))
