"""From FastAPI's list of validation errors to one readable sentence and the dotted path of the field."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fastapi.exceptions import RequestValidationError

from shared.errors import BadRequestError

_PLACES = ("body", "query", "path", "header", "cookie")


@dataclass(frozen=True)
class _Problem:
    """One of Pydantic's errors: where it is in the body, and through which members of unions Pydantic got there."""

    kind: str
    reason: str
    path: tuple[str | int, ...]
    members: tuple[str | int, ...] = ()
    union_path: tuple[str | int, ...] = ()

    @property
    def field(self) -> str:
        return ".".join(map(str, self.path))

    @property
    def progress(self) -> tuple[int, list[int]]:
        """How far Pydantic came, comparable."""
        return len(self.path), [part for part in self.path if isinstance(part, int)]


def bad_request(error: RequestValidationError) -> BadRequestError:
    """The 400 that describes the first invalid field. The values that were sent are never repeated."""
    details = error.errors()
    first = details[0]
    if first["type"] == "json_invalid":
        reason = first.get("ctx", {}).get("error", "it cannot be read")
        return BadRequestError(f"The body is not valid JSON: {reason} at character {first['loc'][-1]}.")
    problems = _most_likely([_problem(detail, error.body) for detail in details])
    if not problems[0].path:
        return BadRequestError("The body must be a JSON object, sent with Content-Type: application/json.")
    return BadRequestError(_sentence(problems), param=problems[0].field)


def _sentence(problems: Sequence[_Problem]) -> str:
    field, kind = problems[0].field, problems[0].kind
    if kind == "missing":
        return f"Missing required parameter: '{field}'."
    if kind == "extra_forbidden":
        return f"Unknown parameter: '{field}'."
    reasons = dict.fromkeys(problem.reason for problem in problems)
    return f"Invalid value for '{field}': {'; or '.join(reasons)}."


def _most_likely(problems: Sequence[_Problem]) -> list[_Problem]:
    """The first problem; if it lies in a union, the first of each member that fitted best.

    Best fits the member with the fewest problems; of those, the one that got furthest is what the caller meant.
    """
    first = problems[0]
    if not first.members:
        return [first]
    of_members: dict[tuple[str | int, ...], list[_Problem]] = {}
    for problem in problems:
        if problem.members and problem.union_path == first.union_path:
            of_members.setdefault(problem.members, []).append(problem)
    fewest = min(map(len, of_members.values()))
    candidates = [found[0] for found in of_members.values() if len(found) == fewest]
    best = max(candidates, key=lambda problem: problem.progress)
    same_field = [problem for problem in candidates if problem.path == best.path]
    # Where one member had the right type and another reason, that the others want another type tells nothing.
    return [problem for problem in same_field if not problem.kind.endswith("_type")] or same_field


def _problem(detail: dict[str, Any], body: Any) -> _Problem:
    """Union members ("str", "list[int]") stand in the location like fields.

    What is not in the body is one of them, unless it is the missing field itself.
    """
    location = list(detail["loc"])
    place = location.pop(0) if location and location[0] in _PLACES else "body"
    path: list[str | int] = []
    members: list[str | int] = []
    union_path: tuple[str | int, ...] = ()
    here = body
    for index, part in enumerate(location):
        is_missing_field = detail["type"] == "missing" and index == len(location) - 1
        if place != "body" or is_missing_field or _is_inside(part, here):
            path.append(part)
            here = here[part] if _is_inside(part, here) else None
        else:
            union_path = union_path if members else tuple(path)
            members.append(part)
    reason = str(detail["msg"]).removeprefix("Value error, ").rstrip(".")
    return _Problem(detail["type"], reason[:1].lower() + reason[1:], tuple(path), tuple(members), union_path)


def _is_inside(part: str | int, value: Any) -> bool:
    if isinstance(value, dict):
        return part in value
    return isinstance(value, list) and isinstance(part, int) and 0 <= part < len(value)
