"""The forms in which model families write tool calls.

hermes: Qwen 2.5 and 3, Hermes, and every model whose chat template knows nothing of tools.
llama3: Llama 3.1 and later. mistral: Mistral's models from 7B v0.3 on.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from shared.bodies.tools import Tool


@dataclass(frozen=True, slots=True)
class ToolFormat:
    """`opener` and `closer` stand around the calls' JSON; an empty opener: the JSON begins the answer.

    `arguments_key` is the name beside "name" in a call's object. `is_array`: one array holds all calls; otherwise every
    call has its own opener and closer.
    """

    name: str
    opener: str
    closer: str
    arguments_key: str = "arguments"
    is_array: bool = False


HERMES = ToolFormat("hermes", "<tool_call>", "</tool_call>")
LLAMA3 = ToolFormat("llama3", "", "", arguments_key="parameters")
MISTRAL = ToolFormat("mistral", "[TOOL_CALLS]", "", is_array=True)
FORMATS = (HERMES, LLAMA3, MISTRAL)

TAG = "<|python_tag|>"
"""What Llama may write before a call."""

OPENERS = (HERMES.opener, MISTRAL.opener, TAG)
MARKS = frozenset((*OPENERS, HERMES.closer))
"""In some vocabularies they are control tokens, which are no text as a rule."""


def format_of(template: str) -> ToolFormat:
    """The form that a chat template (Jinja source, or the name of a fall-back) teaches its model."""
    if "[TOOL_CALLS]" in template:
        return MISTRAL
    if "<tool_call>" not in template and "ipython" in template:  # the role of Llama's tool messages
        return LLAMA3
    return HERMES


def knows_tools(template: str) -> bool:
    """Whether the template itself tells the model of its tools."""
    return "tools" in template


def instructions(tools: Sequence[Tool]) -> str:
    """What the system message says of tools where the chat template says nothing."""
    described = "\n".join(orjson.dumps(tool.function()).decode() for tool in tools)
    return (
        "You may call one or more functions to help with the user's request. They are described here as JSON, one a "
        f"line:\n<tools>\n{described}\n</tools>\n"
        "For each call write a JSON object with the function's name and its arguments, like this:\n"
        '<tool_call>\n{"name": "function-name", "arguments": {"argument": "value"}}\n</tool_call>'
    )
