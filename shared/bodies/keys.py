"""API keys: what the gateway asks the session service about them."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

Role = Literal["admin", "user", "read-only"]


class Limits(BaseModel):
    """What one API key may use; None means without limit."""

    model_config = ConfigDict(frozen=True)

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    concurrent_jobs: int | None = None


class VerifyKeyBody(BaseModel):
    """POST /internal/keys/verify: answered with an Identity, or 401 invalid_api_key."""

    api_key: str


class Identity(BaseModel):
    """Who calls, and what the caller may do."""

    model_config = ConfigDict(frozen=True)

    tenant_id: str
    key_id: str
    role: Role
    limits: Limits
