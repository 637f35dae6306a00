"""API keys: made, stored as a keyed hash, verified."""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass

from pydantic import SecretStr

from session_service.database import Transaction
from session_service.repository import keys as repository
from session_service.settings import SessionSettings
from session_service.tables import ApiKeyTable
from shared.bodies.keys import Identity, Limits, Role
from shared.errors import AuthenticationError
from shared.settings import ConfigurationError

_FORM = re.compile(r"drv_([0-9a-z]{4,32})_([0-9A-Za-z_-]{16,128})")
_DUMMY_DIGEST = hashlib.sha256(b"of no key").digest()


@dataclass(frozen=True, slots=True)
class MadeKey:
    """A key as it is shown once, to whoever had it made."""

    tenant_id: str
    key_id: str
    api_key: str


def new_api_key() -> str:
    """`drv_<id>_<secret>`, the secret with 256 random bits."""
    return f"drv_{secrets.token_hex(8)}_{secrets.token_urlsafe(32)}"


def digest_of(api_key: str, pepper: SecretStr) -> bytes:
    """What is stored. Fast on purpose: a key's 256 random bits cannot be guessed, unlike a password's."""
    return hmac.digest(pepper.get_secret_value().encode(), api_key.encode(), hashlib.sha256)


async def verify_key(tx: Transaction, api_key: str, settings: SessionSettings) -> Identity:
    """Who has this key. Raises AuthenticationError, the same for a malformed, unknown, wrong, old or revoked one."""
    form = _FORM.fullmatch(api_key)
    key = await repository.find_valid_key(tx, form[1]) if form else None
    # An unknown id takes as long as a wrong secret.
    stored = key.digest if key else _DUMMY_DIGEST
    is_right = hmac.compare_digest(stored, digest_of(api_key, settings.key_pepper))
    if key is None or not is_right:
        raise AuthenticationError()
    return Identity.model_validate(
        {"tenant_id": key.tenant_id, "key_id": key.id, "role": key.role, "limits": limits_of(key, settings)}
    )


def limits_of(key: ApiKeyTable, settings: SessionSettings) -> Limits:
    """The key's own limits, and the defaults where it has none; an admin's default is no limit."""

    def choose(own: int | None, default: int) -> int | None:
        chosen = own if own is not None else (0 if key.role == "admin" else default)
        return chosen or None

    return Limits(
        requests_per_minute=choose(key.requests_per_minute, settings.default_requests_per_minute),
        tokens_per_minute=choose(key.tokens_per_minute, settings.default_tokens_per_minute),
        concurrent_jobs=choose(key.concurrent_jobs, settings.default_concurrent_jobs),
    )


async def create_key(
    tx: Transaction, *, tenant: str, role: Role, pepper: SecretStr, api_key: str | None = None, limits: Limits
) -> MadeKey:
    """A key for the tenant of that name, which is made if need be. Of `limits` None means the default, 0 no limit.

    With `api_key` given, that one: making the same again changes its role and limits and nothing else. Raises
    ConfigurationError if it is malformed, or its id belongs to another key.
    """
    chosen = api_key or new_api_key()
    form = _FORM.fullmatch(chosen)
    if not form:
        raise ConfigurationError(
            "The key must look like drv_<id>_<secret>: id 4 to 32 lower-case letters or digits, secret 16 to 128 of "
            "A-Z, a-z, 0-9, _ and -."
        )
    tenant_id = await repository.ensure_tenant(tx, tenant)
    is_ours = await repository.ensure_key(
        tx, key_id=form[1], tenant_id=tenant_id, role=role, digest=digest_of(chosen, pepper), **limits.model_dump()
    )
    if not is_ours:
        raise ConfigurationError(f"The key id {form[1]} belongs to another key or tenant: choose another id.")
    return MadeKey(tenant_id, form[1], chosen)
