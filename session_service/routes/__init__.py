"""The routes: they translate between HTTP and the service functions, and open the transaction that these use."""

from session_service.routes import keys, prompts, sessions, turns

ROUTERS = (keys.router, prompts.router, sessions.router, turns.router)

__all__ = ["ROUTERS"]
