"""Every error that Drover answers with, as one tree.

    DroverError                     500 server_error
    ├── BadRequestError             400 invalid_request_error
    │   ├── ContextLengthExceededError  400 context_length_exceeded
    │   └── PreviousResponseNotFoundError  400 previous_response_not_found
    ├── AuthenticationError         401 invalid_api_key
    ├── PermissionDeniedError       403 permission_denied
    ├── NotFoundError               404 not_found
    │   ├── ModelNotFoundError      404 model_not_found
    │   ├── SessionNotFoundError    404 session_not_found
    │   └── JobNotFoundError        404 job_not_found
    ├── RequestTimeoutError         408 request_timeout
    ├── SessionBusyError            409 turn_in_progress
    ├── JobExpiredError             410 job_expired
    ├── RequestTooLargeError        413 request_too_large
    ├── IdempotencyMismatchError    422 idempotency_mismatch
    ├── RateLimitError              429 rate_limit_exceeded
    ├── InferenceError              500 inference_error
    ├── ModelLoadError              500 model_load_error
    ├── UpstreamError               502 upstream_error
    ├── UnavailableError            503 service_unavailable
    │   ├── QueueFullError          503 queue_full
    │   ├── WorkerLostError         503 worker_lost
    │   └── ModelUnavailableError   503 model_unavailable
    ├── DeadlineExceededError       504 deadline_exceeded
    └── InsufficientMemoryError     507 insufficient_memory

A class's docstring is its message when none is given: one sentence for the caller, saying what to do.
The shape on the wire is OpenAI's: ``{"error": {"message", "type", "param", "code"}}``.
"""

from typing import Any, ClassVar


class DroverError(Exception):
    """Something failed on our side; try again, and look at the server's log if it stays."""

    status: ClassVar[int] = 500
    type: ClassVar[str] = "server_error"
    code: ClassVar[str] = "server_error"

    def __init__(self, message: str | None = None, *, param: str | None = None, retry_after_s: float | None = None):
        self.message = message or (self.__doc__ or "").strip().splitlines()[0]
        self.param = param
        self.retry_after_s = retry_after_s
        self.headers: dict[str, str] = {}
        super().__init__(self.message)

    def body(self) -> dict[str, Any]:
        """The JSON body of the answer, in OpenAI's shape."""
        return {"error": {"message": self.message, "type": self.type, "param": self.param, "code": self.code}}


class BadRequestError(DroverError):
    """The request is malformed; the message names the field."""

    status, type, code = 400, "invalid_request_error", "invalid_request_error"


class ContextLengthExceededError(BadRequestError):
    """The prompt is longer than the model's context; shorten it or choose a model with a longer context."""

    code = "context_length_exceeded"


class PreviousResponseNotFoundError(BadRequestError):
    """The response to go on from does not exist; it may have been deleted, or was not stored."""

    code = "previous_response_not_found"


class AuthenticationError(DroverError):
    """The API key is missing or not valid; send `Authorization: Bearer <key>`."""

    status, type, code = 401, "authentication_error", "invalid_api_key"


class PermissionDeniedError(DroverError):
    """This API key's role does not allow the call; use a key of a higher role."""

    status, type, code = 403, "permission_error", "permission_denied"


class NotFoundError(DroverError):
    """There is nothing at this address."""

    status, type, code = 404, "invalid_request_error", "not_found"


class ModelNotFoundError(NotFoundError):
    """The model does not exist; GET /v1/models lists those that do."""

    code = "model_not_found"


class SessionNotFoundError(NotFoundError):
    """The session does not exist; create one with POST /v1/sessions."""

    code = "session_not_found"


class JobNotFoundError(NotFoundError):
    """The job does not exist."""

    code = "job_not_found"


class RequestTimeoutError(DroverError):
    """The request did not come to its end in time; send it again."""

    status, type, code = 408, "invalid_request_error", "request_timeout"


class SessionBusyError(DroverError):
    """A turn is in progress in this session; wait until it ends, or cancel it."""

    status, type, code = 409, "invalid_request_error", "turn_in_progress"


class JobExpiredError(DroverError):
    """The job ended too long ago, its token log is gone."""

    status, type, code = 410, "invalid_request_error", "job_expired"


class RequestTooLargeError(DroverError):
    """The request body is larger than this server accepts."""

    status, type, code = 413, "invalid_request_error", "request_too_large"


class IdempotencyMismatchError(DroverError):
    """This Idempotency-Key was used with a different body; use a new key."""

    status, type, code = 422, "invalid_request_error", "idempotency_mismatch"


class RateLimitError(DroverError):
    """A limit of this API key is reached; wait as long as Retry-After says."""

    status, type, code = 429, "rate_limit_error", "rate_limit_exceeded"


class InferenceError(DroverError):
    """The model failed while it generated; try again."""

    code = "inference_error"


class ModelLoadError(DroverError):
    """The model could not be loaded; the worker's log says why."""

    code = "model_load_error"


class UpstreamError(DroverError):
    """A service behind the gateway answered wrongly; try again."""

    status, code = 502, "upstream_error"


class UnavailableError(DroverError):
    """A service that this request needs cannot be reached now; try again shortly."""

    status, code = 503, "service_unavailable"


class QueueFullError(UnavailableError):
    """The queue is full; try again as Retry-After says."""

    code = "queue_full"


class WorkerLostError(UnavailableError):
    """The worker was lost and the job could not be continued; send the request again."""

    code = "worker_lost"


class ModelUnavailableError(UnavailableError):
    """No worker can serve this model now; try again shortly."""

    code = "model_unavailable"


class DeadlineExceededError(DroverError):
    """The request's deadline passed before it was finished."""

    status, code = 504, "deadline_exceeded"


class InsufficientMemoryError(DroverError):
    """The model does not fit into the memory of any worker."""

    status, code = 507, "insufficient_memory"


def _tree(root: type[DroverError]) -> list[type[DroverError]]:
    return [root, *(found for child in root.__subclasses__() for found in _tree(child))]


_BY_CODE: dict[str, type[DroverError]] = {error.code: error for error in _tree(DroverError)}


def error_from_body(body: dict[str, Any], *, retry_after_s: float | None = None) -> DroverError:
    """The error that another service, or a job's final event, described with `body`; an unknown code gives the root."""
    described = body.get("error")
    if not isinstance(described, dict):
        return UpstreamError()
    kind = _BY_CODE.get(str(described.get("code")), DroverError)
    return kind(described.get("message"), param=described.get("param"), retry_after_s=retry_after_s)
