"""Which form a model's own template teaches it."""

import pytest

from shared.bodies.tools import Tool
from shared.tool_calls import ToolCallReader, format_of, instructions


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{{ '[AVAILABLE_TOOLS]' }}{{ '[TOOL_CALLS]' }}", "mistral"),
        ("{% if message.role == 'ipython' %}", "llama3"),
        ("<tool_call> {# and a role of 'ipython' #}", "hermes"),
        ("chatml", "hermes"),
    ],
)
def test_the_template_says_how_its_model_writes_calls(template: str, expected: str) -> None:
    assert format_of(template).name == expected


def test_the_instructions_show_a_call_that_can_be_read() -> None:
    text = instructions([Tool(name="function-name", description="Does it", parameters={"type": "object"})])

    assert '"description":"Does it"' in text
    example = text[text.rindex("<tool_call>") :]
    assert len(ToolCallReader({"function-name"}, "j").push(example).calls) == 1
