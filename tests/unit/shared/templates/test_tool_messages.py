"""Tools reach the model, whether or not its template knows them."""

import pytest

from shared.bodies.messages import FunctionCall, Message, ToolCall
from shared.bodies.tools import Tool
from shared.templates import render, template_format

TOOL = Tool(name="weather", description="Tells the weather", parameters={"type": "object"})
CALL = ToolCall(id="call_1", function=FunctionCall(name="weather", arguments='{"city": "Köln"}'))
CONVERSATION = (
    Message(role="user", content="What is the weather?"),
    Message(role="assistant", content="", tool_calls=(CALL,)),
    Message(role="tool", content="sunny", tool_call_id="call_1"),
)
KNOWING = (
    "{% for tool in tools %}[{{ tool.function.name }}]{% endfor %}"
    "{% for m in messages %}{{ m.role }}:{{ m.content }}"
    "{% for c in m.tool_calls %}{{ c.function.name }}({{ c.function.arguments.city }}){% endfor %};{% endfor %}"
)


def test_a_template_that_knows_tools_gets_them_as_they_are() -> None:
    text = render(KNOWING, CONVERSATION, bos="", eos="", tools=[TOOL])

    assert text == "[weather]user:What is the weather?;assistant:weather(Köln);tool:sunny;"


def test_for_any_other_template_a_system_message_describes_them() -> None:
    text = render("chatml", CONVERSATION, bos="", eos="", tools=[TOOL])

    assert text.startswith("<|im_start|>system\n")
    assert '"name":"weather"' in text
    assert '<tool_call>\n{"name": "weather", "arguments": {"city": "Köln"}}\n</tool_call>' in text
    assert "<|im_start|>user\n<tool_response>\nsunny\n</tool_response>" in text


def test_the_description_joins_the_system_message_that_is_there() -> None:
    text = render("chatml", (Message(role="system", content="Be kind."), *CONVERSATION), bos="", eos="", tools=[TOOL])

    assert text.count("<|im_start|>system") == 1
    assert "Be kind.\n\nYou may call" in text


def test_without_tools_nothing_is_added() -> None:
    text = render("chatml", CONVERSATION[:1], bos="", eos="")

    assert "tool" not in text


def test_results_of_parallel_calls_are_one_message_of_the_user() -> None:
    text = render("mistral", (*CONVERSATION, CONVERSATION[2]), bos="", eos="")

    assert text.count("<tool_response>\nsunny\n</tool_response>") == 2
    assert text.count("[INST]") == 2


def test_mistrals_template_gets_ids_of_nine_letters_and_digits_that_still_belong_together() -> None:
    template = (
        "{# [TOOL_CALLS] #}{% for m in messages %}{{ m.tool_call_id }}{% for c in m.tool_calls %}"
        "{{ c.id }},{% endfor %};{% endfor %}{{ tools | length }}"
    )

    _, called, answered, _ = render(template, CONVERSATION, bos="", eos="", tools=[TOOL]).split(";")

    assert called == f"{answered},"
    assert len(answered) == 9
    assert answered.isalnum()


def test_an_id_of_mistrals_own_stays() -> None:
    own = ToolCall(id="abcDEF123", function=CALL.function)
    template = "{# [TOOL_CALLS] tools #}{% for c in messages[0].tool_calls %}{{ c.id }}{% endfor %}"

    assert render(template, [Message(role="assistant", content="", tool_calls=(own,))], bos="", eos="") == "abcDEF123"


@pytest.mark.parametrize(
    ("template", "name"), [("chatml", "hermes"), ("llama3", "hermes"), (KNOWING + "{# [TOOL_CALLS] #}", "mistral")]
)
def test_a_template_tells_how_its_model_writes_calls(template: str, name: str) -> None:
    assert template_format(template).name == name
