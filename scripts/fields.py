"""Writes docs/fields.md, what becomes of every field of OpenAI's and Anthropic's requests: `make fields`.

Whose fields they are says OpenAI's own client; ours are those of our OpenAPI page, where the description of each says
whether it is refused or ignored, and why. A test fails when the page differs.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from openai.types import completion_create_params as completion
from openai.types import embedding_create_params as embedding
from openai.types.chat import completion_create_params as chat
from openai.types.responses import response_create_params as response

from gateway.app import build_app
from gateway.settings import GatewaySettings

ROOT = Path(__file__).resolve().parents[1]

INTRODUCTION = """# Fields

What Drover does with every field of the requests that OpenAI's and Anthropic's clients send. *Supported*: it does what
theirs does. *Ignored*: it is taken, and changes nothing here. *Refused*: it would change the answer in a way that
Drover cannot, so it is a 400 that names it; null, and what asks for nothing, is taken. Pictures, sound and files in
messages, and tools that are no functions of the caller's own, are refused, too.

This page is written from the OpenAPI page (`/docs`) and OpenAI's own client by `make fields`; a test compares, and
sends every ignored and every refused field.

"""

MESSAGES = (
    *("cache_control", "container", "context_management", "diagnostics", "inference_geo", "max_tokens", "mcp_servers"),
    *("messages", "metadata", "model", "output_config", "service_tier", "speed", "stop_sequences", "stream", "system"),
    *("temperature", "thinking", "tool_choice", "tools", "top_k", "top_p", "user_profile_id", "workspace_id"),
)
"""Of anthropic 2.11, which is not installed here; the sampling that it has dropped is still sent by older ones."""

Standing = Literal["supported", "ignored", "refused"]


@dataclass(frozen=True)
class Api:
    """One endpoint. `body` is its schema's name on the OpenAPI page, `names` are its fields where it comes from."""

    path: str
    owner: str
    body: str
    names: tuple[str, ...]


def _names(parameters: type[Any]) -> tuple[str, ...]:
    return tuple(sorted({*parameters.__annotations__, "stream"}))


APIS = (
    Api("/v1/chat/completions", "OpenAI", "ChatCompletionBody", _names(chat.CompletionCreateParamsBase)),
    Api("/v1/completions", "OpenAI", "CompletionBody", _names(completion.CompletionCreateParamsBase)),
    Api("/v1/responses", "OpenAI", "CreateResponseBody", _names(response.ResponseCreateParamsBase)),
    Api("/v1/embeddings", "OpenAI", "EmbeddingsBody", tuple(sorted(embedding.EmbeddingCreateParams.__annotations__))),
    Api("/v1/messages", "Anthropic", "MessagesBody", MESSAGES),
)


def schemas() -> dict[str, Any]:
    """The bodies on our OpenAPI page, by name."""
    page = build_app(GatewaySettings(models_dir=ROOT / "models")).openapi()
    found: dict[str, Any] = page["components"]["schemas"]
    return found


def standing_of(field: dict[str, Any]) -> tuple[Standing, str]:
    """What becomes of a field, and what there is to say of it."""
    said = field.get("description", "")
    if said.startswith("ignored: "):
        return "ignored", said.removeprefix("ignored: ")
    if said.startswith("refused: "):
        return "refused", said.removeprefix("refused: ")
    return "supported", "; ".join(filter(None, (_limits(field), said)))


def _limits(field: dict[str, Any]) -> str:
    """The numbers that a field takes, the words, or how many there may be of it."""
    forms = [form for form in field.get("anyOf", [field]) if form.get("type") != "null"]
    for form in forms:
        if "enum" in form and len(forms) == 1:
            return ", ".join(f"`{word}`" for word in form["enum"])
        least, most = form.get("minimum"), form.get("maximum")
        if least is not None and most is not None and abs(most) < 2**31:
            return f"{least:g} to {most:,.10g}"
        if "maxItems" in form:
            return f"at most {form['maxItems']:,}"
    return ""


def section(api: Api, schema: dict[str, Any]) -> str:
    """One endpoint's table, and Drover's own fields. Raises KeyError for a field that nobody has decided about."""
    properties = schema["properties"]
    rows = [(name, *standing_of(properties[name])) for name in api.names]
    own = ", ".join(f"`{name}`" for name in sorted(properties) if name not in api.names)
    unknown = "refused" if schema.get("additionalProperties") is False else "ignored"
    lines = [
        f"## {api.path}\n",
        f"| {api.owner}'s field | | |",
        "|---|---|---|",
        *(f"| `{name}` | {standing} | {said} |" for name, standing, said in rows),
        f"\nDrover's and llama.cpp's own: {own or 'none'}. A field that nobody knows is {unknown}.\n",
    ]
    return "\n".join(lines)


def counts(bodies: dict[str, Any]) -> str:
    """How many fields stand how, endpoint by endpoint."""
    words: tuple[Standing, ...] = ("supported", "ignored", "refused")
    lines = ["| endpoint | fields | supported | ignored | refused |", "|---|---|---|---|---|"]
    sums = dict.fromkeys(words, 0)
    for api in APIS:
        found = [standing_of(bodies[api.body]["properties"][name])[0] for name in api.names]
        told = {word: found.count(word) for word in words}
        sums = {word: sums[word] + told[word] for word in words}
        lines.append(f"| `{api.path}` | {len(found)} | {' | '.join(str(told[word]) for word in words)} |")
    lines.append(f"| all | {sum(sums.values())} | {' | '.join(str(sums[word]) for word in words)} |")
    return "\n".join(lines) + "\n"


def page() -> str:
    """docs/fields.md."""
    bodies = schemas()
    return INTRODUCTION + counts(bodies) + "\n" + "\n".join(section(api, bodies[api.body]) for api in APIS)


if __name__ == "__main__":
    (ROOT / "docs" / "fields.md").write_text(page(), encoding="utf-8")
