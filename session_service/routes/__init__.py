"""The routes: they translate between HTTP and the service functions, and open the transaction that these use."""

from session_service.routes import keys, messages, prompts, sessions, tokens, turns

ROUTERS = (keys.router, messages.router, prompts.router, sessions.router, tokens.router, turns.router)

__all__ = ["ROUTERS"]
