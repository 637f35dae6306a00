"""What Anthropic's messages say beside their content, streamed or whole."""

from http import HTTPStatus
from typing import Any

from gateway.follow import Ended
from gateway.heading import Heading
from shared.errors import DroverError
from shared.events import Usage

STOP_REASONS = {"stop": "end_turn", "length": "max_tokens", "cancelled": "max_tokens"}
ERROR_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}


def message_fields(heading: Heading) -> dict[str, Any]:
    return {"id": f"msg_{heading.job_id}", "type": "message", "role": "assistant", "model": heading.model}


def ending_fields(ended: Ended, *, has_calls: bool) -> dict[str, Any]:
    """Why the message ended, and after which of the stop sequences."""
    final = ended.final
    if final.stop is not None:
        return {"stop_reason": "stop_sequence", "stop_sequence": final.stop}
    if has_calls and final.finish_reason == "stop":
        return {"stop_reason": "tool_use", "stop_sequence": None}
    return {"stop_reason": STOP_REASONS.get(final.finish_reason, "end_turn"), "stop_sequence": None}


def usage_fields(usage: Usage) -> dict[str, int]:
    """Anthropic counts what came from the cache by itself: all three together are the prompt."""
    return {
        "input_tokens": usage.prompt_tokens - usage.cached_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": usage.cached_tokens,
        "output_tokens": usage.completion_tokens,
    }


def error_body(error: DroverError) -> dict[str, Any]:
    """Anthropic's shape of an error, whose types are fewer than ours."""
    other = "invalid_request_error" if error.status < HTTPStatus.INTERNAL_SERVER_ERROR else "api_error"
    described = {"type": ERROR_TYPES.get(error.status, other), "message": error.message}
    return {"type": "error", "error": described}
