"""The routes: they translate between HTTP and the service functions, and open the transaction that these use."""

from session_service.routes import keys, messages, prompts, sessions, turns

ROUTERS = (keys.router, messages.router, prompts.router, sessions.router, turns.router)

__all__ = ["ROUTERS"]
