"""What a caller's JSON schema may ask of the grammar that is made of it; hostile ones are refused before admission.

llama.cpp has crashed on nested groups, on endless references and on patterns (PROTOCOL §9); a schema within these
limits makes a small grammar without loops.
"""

from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

import orjson

from gateway.pattern_limits import MAX_REPETITIONS, PatternRefusedError, check_pattern

MAX_BYTES = 16_384
MAX_DEPTH = 32
MAX_PROPERTIES = 256
MAX_WRITTEN_OUT = 10_000
"""References, when each is replaced by what it names as long as that is a reference or a combination of them."""

ALTERNATIVES = ("anyOf", "oneOf")
COMBINED = (*ALTERNATIVES, "allOf")
COUNTS = ("minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties")
LITERALS = ("const", "enum", "default", "examples")
"""Keywords whose values are data, not schemas."""


class SchemaRefusedError(ValueError):
    """The message is one sentence for the caller."""


def check_schema(schema: Any) -> None:
    """Raises SchemaRefusedError, which says what to change. `schema` is JSON as Python reads it."""
    if not isinstance(schema, dict):
        raise SchemaRefusedError("A schema is a JSON object.")
    if _depth(schema) > MAX_DEPTH:
        raise SchemaRefusedError(f"A schema may be {MAX_DEPTH} levels deep.")
    if len(orjson.dumps(schema)) > MAX_BYTES:
        raise SchemaRefusedError(f"A schema may be {MAX_BYTES} bytes long.")
    targets = _targets(schema)
    # A reference may lead into what is data where it stands, such as an enum: there it is a schema all the same.
    roots = {id(root): root for root in (schema, *targets.values())}
    nodes = list({id(node): node for root in roots.values() for node in _nodes(root)}.values())
    if sum(len(node["properties"]) for node in nodes if isinstance(node.get("properties"), dict)) > MAX_PROPERTIES:
        raise SchemaRefusedError(f"A schema may have {MAX_PROPERTIES} properties in all.")
    for node in nodes:
        _check_keywords(node)
    _check_references(schema, nodes, targets)


def _depth(value: Any) -> int:
    """Levels of objects and lists; without recursion, for `value` may be as deep as the JSON reader allows."""
    depth, level = 0, [value]
    while level := [inner for outer in level for inner in _inside(outer)]:
        depth += 1
        if depth > MAX_DEPTH:
            break
    return depth


def _inside(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, list):
        yield from value


def _nodes(schema: Any) -> Iterator[dict[str, Any]]:
    """The schema and all schemas in it."""
    if isinstance(schema, dict):
        yield schema
        for keyword, value in schema.items():
            if keyword in ("properties", "$defs", "definitions", "patternProperties"):
                for named in _inside(value):
                    yield from _nodes(named)
            elif keyword not in LITERALS:
                yield from _nodes(value)
    elif isinstance(schema, list):
        for item in schema:
            yield from _nodes(item)


def _check_keywords(node: dict[str, Any]) -> None:
    for keyword in COUNTS:
        count = node.get(keyword)
        if isinstance(count, int | float) and not 0 <= count <= MAX_REPETITIONS:
            raise SchemaRefusedError(f"{keyword} may be 0 to {MAX_REPETITIONS}.")
    if "patternProperties" in node:
        raise SchemaRefusedError("patternProperties is not supported.")
    pattern = node.get("pattern")
    if isinstance(pattern, str):
        try:
            check_pattern(pattern)
        except PatternRefusedError as refusal:
            raise SchemaRefusedError(f"A pattern cannot be used: {refusal}") from refusal


def _targets(schema: dict[str, Any]) -> dict[str, Any]:
    """What every reference points at, also those in what others point at. Raises SchemaRefusedError."""
    targets: dict[str, Any] = {}
    unread, walked = [node["$ref"] for node in _nodes(schema) if "$ref" in node], set[int]()
    while unread:
        reference = unread.pop()
        target = _target(schema, reference)
        targets[reference] = target
        if id(target) not in walked:  # one place has many names: #/anyOf/0, #/anyOf/00, …
            walked.add(id(target))
            unread += [node["$ref"] for node in _nodes(target) if "$ref" in node]
    return targets


def _check_references(schema: dict[str, Any], nodes: list[dict[str, Any]], targets: dict[str, Any]) -> None:
    for reference in targets:
        if _leads_to_itself(reference, targets):
            raise SchemaRefusedError(f"The reference {reference} leads to itself.")
    _check_size(nodes, targets)
    if not _can_end(schema, _ending(targets)):
        raise SchemaRefusedError("No finite JSON can follow a schema that requires itself in itself.")


def _target(schema: dict[str, Any], reference: Any) -> Any:
    if not isinstance(reference, str) or not (reference == "#" or reference.startswith("#/")):
        raise SchemaRefusedError("A $ref must point into the schema itself, like #/$defs/name.")
    here: Any = schema
    for part in reference[2:].split("/") if reference != "#" else ():
        name = unquote(part).replace("~1", "/").replace("~0", "~")  # in a URL's fragment, as the workers read it
        if isinstance(here, list) and name.isascii() and name.isdigit() and int(name) < len(here):
            here = here[int(name)]
        elif isinstance(here, dict) and name in here:
            here = here[name]
        else:
            raise SchemaRefusedError(f"The reference {reference} points at nothing.")
    return here


def _leads_to_itself(goal: str, targets: dict[str, Any]) -> bool:
    """Whether the place is the same as itself without any object or list in between: a rule without an end."""
    unread, seen = [goal], set()
    while unread:
        for step in _steps(targets[unread.pop()]):
            if step == goal:
                return True
            if step not in seen:
                seen.add(step)
                unread.append(step)
    return False


def _steps(node: Any) -> Iterator[str]:
    """The references that `node` itself may be."""
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"]
        for keyword in COMBINED:
            for choice in _inside(node.get(keyword)):
                yield from _steps(choice)


def _check_size(nodes: list[dict[str, Any]], targets: dict[str, Any]) -> None:
    """What stands for the same place is written out where grammars are made: with a few lines that can be millions."""
    written = 0
    for node in nodes:
        unread = list(_steps(node))
        while unread and written <= MAX_WRITTEN_OUT:
            written += 1
            unread += _steps(targets[unread.pop()])
    if written > MAX_WRITTEN_OUT:
        raise SchemaRefusedError("The schema repeats too much through its references.")


def _ending(targets: dict[str, Any]) -> set[str]:
    """The references that some finite JSON follows."""
    users: dict[str, list[str]] = {name: [] for name in targets}
    places = {id(target): target for target in targets.values()}
    used = {place: {node["$ref"] for node in _nodes(target) if "$ref" in node} for place, target in places.items()}
    for name, target in targets.items():
        for reference in used[id(target)]:
            users[reference].append(name)
    ending: set[str] = set()
    unread = list(targets)
    while unread:
        name = unread.pop()
        if name not in ending and _can_end(targets[name], ending):
            ending.add(name)
            unread += users[name]  # in rounds over all of them a chain would take the square of its length
    return ending


def _can_end(node: Any, ending: set[str]) -> bool:
    """Whether some finite JSON follows `node`, if it does follow the references in `ending`."""
    if not isinstance(node, dict):
        return True
    if "$ref" in node and node["$ref"] not in ending:
        return False
    for keyword in ALTERNATIVES:
        choices = node.get(keyword)
        if isinstance(choices, list) and choices and not any(_can_end(choice, ending) for choice in choices):
            return False
    needed = [*_inside(node.get("allOf"))]
    properties, required = node.get("properties"), node.get("required")
    if isinstance(properties, dict) and isinstance(required, list):
        needed += [properties[name] for name in required if isinstance(name, str) and name in properties]
    if isinstance(node.get("minItems"), int) and node["minItems"] > 0:
        needed += [*_inside(node.get("prefixItems")), node.get("items")]
    return all(_can_end(inner, ending) for inner in needed)
