"""The HTTP endpoints, one file a topic: they translate and nothing else."""

from gateway.routes import (
    chat_completions,
    completions,
    conversations,
    embeddings,
    jobs,
    messages,
    models,
    native,
    overview,
    responses,
    sessions,
    tokens,
)

ROUTERS = (
    overview.router,
    models.router,
    chat_completions.router,
    completions.router,
    responses.router,
    conversations.router,
    embeddings.router,
    tokens.router,
    sessions.router,
    jobs.router,
    messages.router,
    native.router,
)
"""In the order in which the OpenAPI page shows them."""

__all__ = ["ROUTERS"]
