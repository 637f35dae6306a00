"""A request's body, its caller and its headers as what Drover is asked."""

from gateway.ask import Ask, Asked, hash_of
from gateway.bodies.generation import TimedBody
from gateway.service import Gateway
from shared.bodies.keys import Identity


def asked_of(gateway: Gateway, identity: Identity, ask: Ask, body: TimedBody, idempotency_key: str | None) -> Asked:
    """With the body's own deadline, or the server's."""
    timeout_s = body.timeout_s or gateway.settings.default_timeout_s
    return Asked(identity, ask, timeout_s, hash_of(body), idempotency_key)
