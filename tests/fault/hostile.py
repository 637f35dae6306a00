"""Hostile requests: malformed in every way that a seed thinks of, and schemas and grammars that would hurt."""

import copy
import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

JSON = "application/json"
DEEP = 100_000
_VERBS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
_VALUES: tuple[Any, ...] = (
    *(None, True, -1, 0, 10**30, -(2**63) - 1, 1e308, float("nan"), float("inf")),
    *("", "\0", "\ud800", "\u202e", "x" * 70_000, "'; DROP TABLE turns; --", "../../etc/passwd", "%s%n{0}"),
    *([], {}, [[]], [None], [{}], {"": None}, {"$ref": "#"}, [1] * 3000, {"role": "user"}),
)
_IDS = ("x", "%00", "..%2f..%2fadmin", "%ff", "a" * 300, "sess_" + "0" * 32, "0", "-1", "%F0%9F%98%80", "{}", "*")


@dataclass(frozen=True)
class Hostile:
    """One request, ready to be sent."""

    verb: str
    path: str
    body: bytes | None
    headers: Mapping[str, str]


class HostileRequests:
    """Draws them: `paths` are templates from the OpenAPI page, `good` is a chat request that would be accepted."""

    def __init__(self, paths: Mapping[str, list[str]], good: Mapping[str, Any], chance: random.Random):
        self._paths = paths
        self._good = good
        self._chance = chance
        self._spoilers: tuple[Callable[[], bytes], ...] = (
            *(self._changed, self._changed, self._changed, self._changed),
            *(self._cut, self._noise, self._deep, self._odd_value),
        )

    def draw(self) -> Hostile:
        chance = self._chance
        template = chance.choice(sorted(self._paths))
        verbs = [verb for verb in self._paths[template] if verb in _VERBS]
        verb = chance.choice(_VERBS) if chance.random() < 0.1 else chance.choice(verbs)
        path = "/".join(chance.choice(_IDS) if part.startswith("{") else part for part in template.split("/"))
        body = chance.choice(self._spoilers)() if verb in ("POST", "PUT", "PATCH") or chance.random() < 0.1 else None
        return Hostile(verb, path + self._query(), body, self._headers())

    def _query(self) -> str:
        if self._chance.random() < 0.7:
            return ""
        return f"?{self._chance.choice(['limit', 'after', 'order', 'starting_after'])}={self._chance.choice(_IDS)}"

    def _headers(self) -> dict[str, str]:
        chance = self._chance
        odd = {
            "Idempotency-Key": chance.choice(["", "k" * 300, "\xff"]),
            "Last-Event-ID": chance.choice(["-1", "1e9", "9" * 40, "x"]),
            "traceparent": chance.choice(["00-0-0-00", "x" * 500]),
            "Content-Type": chance.choice(
                ["text/plain", "application/xml", "multipart/form-data", JSON + "; charset=x"]
            ),
        }
        return {name: value for name, value in odd.items() if chance.random() < 0.08}

    def _changed(self) -> bytes:
        """The good request with some fields left out and one to three changed, somewhere within."""
        made = {name: json.loads(json.dumps(value)) for name, value in self._good.items() if self._is_kept(name)}
        for _ in range(self._chance.randint(1, 3)):
            self._change(made)
        return json.dumps(made).encode(errors="surrogatepass")

    def _is_kept(self, name: str) -> bool:
        return name in ("model", "messages") or self._chance.random() < 0.6

    def _change(self, made: dict[str, Any]) -> None:
        here: Any = made
        while True:
            keys = list(here) if isinstance(here, dict) else list(range(len(here)))
            if not keys:
                return
            key = self._chance.choice(keys)
            if isinstance(here[key], dict | list) and self._chance.random() < 0.6:
                here = here[key]
                continue
            here[key] = copy.deepcopy(self._chance.choice(_VALUES))  # it may be changed in its turn
            return

    def _cut(self) -> bytes:
        whole = json.dumps(self._good).encode()
        return whole[: self._chance.randrange(len(whole))]

    def _noise(self) -> bytes:
        return self._chance.randbytes(self._chance.randrange(2000))

    def _deep(self) -> bytes:
        opening = self._chance.choice([b"[", b'{"a":', b'{"messages":['])
        return opening * self._chance.choice([10, 1000, DEEP])

    def _odd_value(self) -> bytes:
        return json.dumps(self._chance.choice(_VALUES)).encode()


def _nested(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(levels):
        schema = {"type": "object", "properties": {"a": schema}, "required": ["a"]}
    return schema


def _doubling(levels: int) -> dict[str, Any]:
    """Each definition is the one before twice: 2^levels when written out."""
    named: dict[str, Any] = {"d0": {"type": "string"}}
    for level in range(1, levels + 1):
        both = {"$ref": f"#/$defs/d{level - 1}"}
        named[f"d{level}"] = {"type": "array", "prefixItems": [both, both], "minItems": 2}
    return {"$defs": named, "$ref": f"#/$defs/d{levels}"}


SCHEMAS: dict[str, Any] = {
    "itself": {"$ref": "#"},
    "each other": {"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"},
    "an endless list": {"type": "array", "items": {"$ref": "#"}, "minItems": 1},
    "an endless object": {"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]},
    "nested within limits": _nested(12),
    "nested": _nested(40),
    "nested deeply": _nested(400),
    "doubling": _doubling(30),
    "a reference to a file": {"$ref": "file:///etc/passwd"},
    "a reference to nothing": {"$ref": "#/$defs/nothing"},
    "a million items": {"type": "array", "items": {"type": "integer"}, "minItems": 10**6, "maxItems": 10**9},
    "negative items": {"type": "array", "items": {}, "minItems": -5, "maxItems": -9},
    "a long string": {"type": "string", "minLength": 10**9},
    "a catastrophic pattern": {"type": "string", "pattern": "^(a+)+$"},
    "an alternating pattern": {"type": "string", "pattern": "^(a|a|a)*(b|b)*$"},
    "a repeated pattern": {"type": "string", "pattern": "^((a{1,99}){1,99}){1,99}$"},
    "a nested pattern": {"type": "string", "pattern": "^" + "(" * 500 + "a" + ")" * 500 + "$"},
    "a broken pattern": {"type": "string", "pattern": "^[a-$"},
    "many values": {"enum": list(range(3000))},
    "quotes in values": {"enum": ['"\\', "\n", "\0", '" ::= root', "\U0001f600"]},
    "no value": {"enum": []},
    "odd names": {"type": "object", "properties": {'"': {}, "\\": {}, "::=": {}, "\n": {}}, "required": ['"']},
    "many properties": {"type": "object", "properties": {f"p{n}": {"type": "string"} for n in range(5000)}},
    "forbidden and required": {"type": "object", "properties": {"a": False}, "required": ["a"]},
    "wrong types": {"type": ["object", 7], "properties": [], "required": "a", "items": 3},
    "everything at once": {"allOf": [{"anyOf": [{"oneOf": [{"type": "string"}] * 20}] * 20}] * 20},
    "large bounds": {"type": "integer", "minimum": -(10**40), "maximum": 10**40},
    "swapped bounds": {"type": "integer", "minimum": 9, "maximum": 1},
    "false": False,
    "a list": [],
}
"""Schemas that have crashed or hung servers of this kind, each under a name for the report."""

GRAMMARS: dict[str, str] = {
    "empty": "",
    "no root": 'other ::= "a"',
    "an unknown rule": "root ::= nothing",
    "left recursion": 'root ::= root "a" | "a"',
    "hidden left recursion": 'root ::= b root "a"\nb ::= ""',
    "itself": "root ::= root",
    "nothing for ever": 'root ::= ("")*',
    "nothing twice for ever": 'root ::= (("")*)*',
    "nested repetitions": "root ::= " + "(" * 60 + '"a"' + ")*" * 60,
    "ambiguous": 'root ::= ("a" | "a" | "a" | "a" | [a-z] | [^b])* ("a"* "a"* "a"*)*',
    "a large repetition": 'root ::= "a"{100000}',
    "nested large repetitions": 'root ::= (("a"{999}){999}){999}',
    "a backward repetition": 'root ::= "a"{9,1}',
    "deep brackets": "root ::= " + "(" * 20_000 + '"a"' + ")" * 20_000,
    "open bracket": 'root ::= ("a"',
    "open quotes": 'root ::= "a',
    "open class": "root ::= [a",
    "a backward class": "root ::= [z-a]",
    "a broken escape": 'root ::= "\\x4"',
    "many rules": "root ::= r0\n" + "\n".join(f'r{n} ::= r{n + 1} | "a"' for n in range(3000)) + '\nr3000 ::= "b"',
    "zero bytes": 'root ::= "\0"',
    "not a grammar": "Please answer in JSON.",
    "only what no token says": 'root ::= "\U0010ffff"+',
    "fine": 'root ::= "yes" | "no"',
}
