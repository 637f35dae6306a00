from datetime import datetime

import pytest

from shared.bodies.messages import Message, Role
from shared.errors import BadRequestError, InferenceError, ModelLoadError
from shared.templates import FALLBACK_NAMES, choose_template, render

SYSTEM = Message(role="system", content="Be kind.")
HELLO = Message(role="user", content="Hello")
HI = Message(role="assistant", content="Hi!")
BYE = Message(role="user", content="Bye")
CONVERSATION = [SYSTEM, HELLO, HI, BYE]

GOLDEN = {
    "chatml": (
        "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nHello<|im_end|>\n"
        "<|im_start|>assistant\nHi!<|im_end|>\n<|im_start|>user\nBye<|im_end|>\n<|im_start|>assistant\n"
    ),
    "llama3": (
        "<s><|start_header_id|>system<|end_header_id|>\n\nBe kind.<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\nHello<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\nHi!<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\nBye<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n"
    ),
    "alpaca": ("Be kind.\n\n### Instruction:\nHello\n\n### Response:\nHi!\n\n### Instruction:\nBye\n\n### Response:\n"),
    "vicuna": "Be kind. USER: Hello ASSISTANT: Hi!</s>USER: Bye ASSISTANT:",
    "mistral": "<s>[INST] Be kind.\n\nHello [/INST] Hi!</s>[INST] Bye [/INST]",
}

GOLDEN_ALONE = {
    "chatml": "<|im_start|>user\nHello<|im_end|>\n",
    "llama3": "<s><|start_header_id|>user<|end_header_id|>\n\nHello<|eot_id|>",
    "alpaca": (
        "Below is an instruction that describes a task. Write a response that appropriately completes the request."
        "\n\n### Instruction:\nHello\n\n"
    ),
    "vicuna": (
        "A chat between a curious user and an artificial intelligence assistant. "
        "The assistant gives helpful, detailed, and polite answers to the user's questions. USER: Hello "
    ),
    "mistral": "<s>[INST] Hello [/INST]",
}


def rendered(template: str, messages: list[Message], *, add_generation_prompt: bool = True) -> str:
    return render(template, messages, bos="<s>", eos="</s>", add_generation_prompt=add_generation_prompt)


def test_every_fallback_has_its_golden_texts() -> None:
    assert set(GOLDEN) == set(GOLDEN_ALONE) == FALLBACK_NAMES


@pytest.mark.parametrize("name", sorted(GOLDEN))
def test_a_fallback_renders_a_conversation(name: str) -> None:
    assert rendered(name, CONVERSATION) == GOLDEN[name]


@pytest.mark.parametrize("name", sorted(GOLDEN_ALONE))
def test_a_fallback_renders_one_message_without_a_generation_prompt(name: str) -> None:
    assert rendered(name, [HELLO], add_generation_prompt=False) == GOLDEN_ALONE[name]


@pytest.mark.parametrize("name", sorted(FALLBACK_NAMES))
def test_a_developer_counts_as_the_system(name: str) -> None:
    developer = Message(role="developer", content=SYSTEM.content)

    assert rendered(name, [developer, HELLO]) == rendered(name, [SYSTEM, HELLO])


@pytest.mark.parametrize("name", sorted(FALLBACK_NAMES))
def test_a_messages_text_is_never_taken_for_a_template(name: str) -> None:
    text = "{{ 7 * 7 }} {% raw %}"

    assert text in rendered(name, [Message(role="user", content=text)])


@pytest.mark.parametrize(
    "roles", [["assistant"], ["user", "user"], ["system", "assistant"], ["user", "assistant", "assistant"]]
)
def test_roles_that_must_alternate_are_the_callers_error(roles: list[Role]) -> None:
    messages = [Message(role=role, content="x") for role in roles]

    with pytest.raises(BadRequestError, match="alternate") as caught:
        rendered("mistral", messages)
    assert caught.value.param == "messages"


def test_templates_have_what_hugging_face_gives_them() -> None:
    template = (
        "{% for message in messages %}\n"
        "    {% if loop.index > 1 %}{% break %}{% endif %}\n"
        "{{ message.role }}\n{% endfor %}"
        "{{ {'b': '<é>', 'a': 1} | tojson }}{{ strftime_now('%Y') }}{% generation %}!{% endgeneration %}"
        "{{ bos_token }}{{ eos_token }}{{ tools is none }}{{ documents is none }}"
    )

    text = rendered(template, CONVERSATION)

    assert text == f'system\n{{"b": "<é>", "a": 1}}{datetime.now().year}!<s></s>TrueTrue'


def test_json_can_be_indented_and_sorted() -> None:
    assert rendered("{{ {'b': 1, 'a': 2} | tojson(indent=1, sort_keys=true) }}", [HELLO]) == '{\n "a": 2,\n "b": 1\n}'


def test_a_name_reaches_the_template() -> None:
    template = "{% for message in messages %}{{ message.name if message.name is defined else '-' }}{% endfor %}"

    assert rendered(template, [HELLO, Message(role="user", content="x", name="Ada")]) == "-Ada"


@pytest.mark.parametrize(
    "template",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ cycler.__init__.__globals__ }}",
        "{{ raise_exception.__globals__['_log'] }}",
        "{{ messages.append(1) }}",
        "{% for index in range(10 ** 9) %}x{% endfor %}",
        "{{ 'x' * 10 ** 9 }}",
        "{{ [0] * 10 ** 9 }}",
        "{{ 7 ** 99999999 }}",
        "{% for a in range(99999) %}{% for b in range(99999) %}{{ 'x' * 9999 }}{% endfor %}{% endfor %}",
    ],
)
def test_a_hostile_template_is_refused(template: str) -> None:
    with pytest.raises(ModelLoadError, match="may not do"):
        rendered(template, [HELLO])


@pytest.mark.parametrize("template", ["{% if %}", "{{ messages[0 }}", "{% include 'x' %}{% nonsense %}"])
def test_a_template_that_is_not_valid_is_the_models_error(template: str) -> None:
    with pytest.raises(ModelLoadError, match="not valid"):
        rendered(template, [HELLO])


@pytest.mark.parametrize(
    "template", ["{{ messages[9].content }}", "{{ 1 / 0 }}", "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}"]
)
def test_a_template_that_fails_on_these_messages_is_an_inference_error(template: str) -> None:
    with pytest.raises(InferenceError, match="failed on these messages"):
        rendered(template, [HELLO])


@pytest.mark.parametrize(
    ("named", "embedded", "chosen"), [("llama3", "{{ x }}", "llama3"), ("", "{{ x }}", "{{ x }}"), ("", "", "chatml")]
)
def test_the_catalogues_template_comes_first_then_the_models(named: str, embedded: str, chosen: str) -> None:
    assert choose_template(named, embedded) == chosen
