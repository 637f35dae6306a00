"""From FastAPI's list of validation errors to one readable sentence and the dotted path of the field."""

from typing import Any

from fastapi.exceptions import RequestValidationError

from shared.errors import BadRequestError

_PLACES = ("body", "query", "path", "header", "cookie")


def bad_request(error: RequestValidationError) -> BadRequestError:
    """The 400 that describes the first invalid field. The values that were sent are never repeated."""
    details = error.errors()
    first = details[0]
    if first["type"] == "json_invalid":
        reason = first.get("ctx", {}).get("error", "it cannot be read")
        return BadRequestError(f"The body is not valid JSON: {reason} at character {first['loc'][-1]}.")
    path, is_union = _field_path(first, error.body)
    if not path:
        return BadRequestError("The body must be a JSON object, sent with Content-Type: application/json.")
    same_field = [d for d in details if _field_path(d, error.body)[0] == path] if is_union else [first]
    return BadRequestError(_sentence(path, same_field), param=path)


def _sentence(path: str, details: list[dict[str, Any]]) -> str:
    kind = details[0]["type"]
    if kind == "missing":
        return f"Missing required parameter: '{path}'."
    if kind == "extra_forbidden":
        return f"Unknown parameter: '{path}'."
    reasons = dict.fromkeys(str(d["msg"]).removeprefix("Value error, ").rstrip(".") for d in details)
    return f"Invalid value for '{path}': {'; or '.join(_lower_first(reason) for reason in reasons)}."


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]


def _field_path(detail: dict[str, Any], body: Any) -> tuple[str, bool]:
    """The dotted path of the field, and whether Pydantic's location also named a member of a union.

    Union members ("str", "list[int]") stand in the location like fields; what is not in the body is one of them,
    unless it is the missing field itself.
    """
    location = list(detail["loc"])
    if location and location[0] in _PLACES:
        place = location.pop(0)
        if place != "body":
            return ".".join(map(str, location)), False
    kept: list[str] = []
    here = body
    is_union = False
    for index, part in enumerate(location):
        is_last = index == len(location) - 1
        if _is_inside(part, here):
            here = here[part]
        elif not (is_last and detail["type"] == "missing"):
            is_union = True
            continue
        kept.append(str(part))
    return ".".join(kept), is_union


def _is_inside(part: str | int, value: Any) -> bool:
    if isinstance(value, dict):
        return part in value
    return isinstance(value, list) and isinstance(part, int) and 0 <= part < len(value)
