"""The form and the digest of API keys; who gets in is tested on a real Postgres."""

from pydantic import SecretStr

from session_service.keys import digest_of, new_api_key


def test_a_new_key_has_an_id_and_a_long_secret() -> None:
    prefix, key_id, secret = new_api_key().split("_", 2)

    assert (prefix, len(key_id)) == ("drv", 16)
    assert len(secret) == 43  # 256 bits in base64


def test_no_two_keys_are_alike() -> None:
    assert len({new_api_key() for _ in range(100)}) == 100


def test_the_digest_depends_on_the_pepper() -> None:
    key = new_api_key()

    assert digest_of(key, SecretStr("one pepper")) != digest_of(key, SecretStr("another pepper"))
