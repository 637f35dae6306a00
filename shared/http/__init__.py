"""The FastAPI pieces that the three HTTP services share."""

from shared.http.application import service_app
from shared.http.body_limit import BodyLimitMiddleware
from shared.http.error_answers import error_response, install_errors
from shared.http.internal_token import require_internal_token
from shared.http.operations import operations_router
from shared.http.request_count import RequestCountMiddleware
from shared.http.serving import serve
from shared.http.timed_protocol import TimeLimits

__all__ = [
    "BodyLimitMiddleware",
    "RequestCountMiddleware",
    "TimeLimits",
    "error_response",
    "install_errors",
    "operations_router",
    "require_internal_token",
    "serve",
    "service_app",
]
