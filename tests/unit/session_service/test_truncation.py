"""Truncation, tried with conversations that Hypothesis makes up."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from session_service.truncation import CountedMessage, Fitting, budget_tokens, truncate
from shared.bodies.messages import FunctionCall, Message, ToolCall
from shared.errors import ContextLengthExceededError

ROLES = st.sampled_from(["user", "user", "assistant", "assistant", "tool"])
SIZES = st.integers(min_value=0, max_value=40)


def counted(role: str, size: int, index: int) -> CountedMessage:
    content = f"{index}:".ljust(max(size, len(f"{index}:")), "x")
    return CountedMessage(Message.model_validate({"role": role, "content": content}), len(content))


@st.composite
def conversations(draw: st.DrawFn) -> list[CountedMessage]:
    """Up to two system messages, a history of any roles, and a new message of the user."""
    system = ["system"] * draw(st.integers(0, 2))
    history = draw(st.lists(ROLES, max_size=14))
    roles = [*system, *history, "user"]
    return [counted(role, draw(SIZES), index) for index, role in enumerate(roles)]


@st.composite
def counters(draw: st.DrawFn) -> "Counter":
    return Counter(per_message=draw(st.integers(0, 9)), once=draw(st.integers(0, 5)))


class Counter:
    """A template that adds tokens to every message and some at the end; it remembers what it was asked."""

    def __init__(self, per_message: int = 3, once: int = 2):
        self.per_message, self.once = per_message, once
        self.calls = 0

    def __repr__(self) -> str:
        return f"Counter({self.per_message}, {self.once})"

    def __call__(self, messages: list[Message]) -> int:
        self.calls += 1
        return sum(len(message.content) + self.per_message for message in messages) + self.once


def fit(conversation: list[CountedMessage], context_tokens: int, count: Counter) -> Fitting | None:
    try:
        return truncate(conversation, context_tokens=context_tokens, max_tokens=16, count_prompt=count)
    except ContextLengthExceededError:
        return None


def kept_indexes(conversation: list[CountedMessage], fitting: Fitting) -> list[int]:
    contents = [counted.message.content for counted in conversation]
    return [contents.index(message.content) for message in fitting.messages]


def history_of(conversation: list[CountedMessage]) -> list[int]:
    return [
        index for index, counted in enumerate(conversation[:-1]) if counted.message.role not in ("system", "developer")
    ]


CONTEXTS = st.integers(min_value=17, max_value=500)


@given(conversations(), CONTEXTS, counters())
def test_the_prompt_never_exceeds_the_budget(conversation: list[CountedMessage], context: int, count: Counter) -> None:
    fitting = fit(conversation, context, count)
    assume(fitting is not None)

    assert fitting is not None
    assert count(fitting.messages) == fitting.prompt_tokens <= context - 16


@given(conversations(), CONTEXTS, counters())
def test_system_messages_and_the_newest_user_message_are_kept(
    conversation: list[CountedMessage], context: int, count: Counter
) -> None:
    fitting = fit(conversation, context, count)
    assume(fitting is not None)

    assert fitting is not None
    system = [counted.message for counted in conversation if counted.message.role == "system"]
    assert fitting.messages[: len(system)] == system
    assert fitting.messages[-1] == conversation[-1].message


@given(conversations(), CONTEXTS, counters())
def test_what_is_kept_of_the_history_is_its_end(
    conversation: list[CountedMessage], context: int, count: Counter
) -> None:
    fitting = fit(conversation, context, count)
    assume(fitting is not None)

    assert fitting is not None
    history = history_of(conversation)
    kept = [index for index in kept_indexes(conversation, fitting) if index in history]
    assert kept == history[len(history) - len(kept) :]


@given(conversations(), CONTEXTS, counters())
def test_exchanges_stay_whole(conversation: list[CountedMessage], context: int, count: Counter) -> None:
    fitting = fit(conversation, context, count)
    assume(fitting is not None)

    assert fitting is not None
    history = history_of(conversation)
    kept = [index for index in kept_indexes(conversation, fitting) if index in history]
    if kept and kept != history:
        assert conversation[kept[0]].message.role == "user"
        assert conversation[kept[0] - 1].message.role != "user"


@given(conversations(), CONTEXTS, counters())
def test_one_more_exchange_would_not_fit(conversation: list[CountedMessage], context: int, count: Counter) -> None:
    fitting = fit(conversation, context, count)
    assume(fitting is not None and fitting.dropped_messages > 0)

    assert fitting is not None
    dropped = history_of(conversation)[: fitting.dropped_messages]
    more = [conversation[dropped[-1]]]
    for index in reversed(dropped[:-1]):
        if more[0].message.role == "user" and conversation[index].message.role != "user":
            break
        more.insert(0, conversation[index])
    assert count([*fitting.messages, *(counted.message for counted in more)]) > context - 16


@given(conversations(), CONTEXTS, counters())
def test_the_report_adds_up(conversation: list[CountedMessage], context: int, count: Counter) -> None:
    fitting = fit(conversation, context, count)
    assume(fitting is not None)

    assert fitting is not None
    kept = set(kept_indexes(conversation, fitting))
    dropped = [counted for index, counted in enumerate(conversation) if index not in kept]
    assert fitting.dropped_messages == len(dropped)
    assert fitting.dropped_tokens == sum(counted.tokens for counted in dropped)


@given(conversations(), CONTEXTS, counters())
def test_it_is_refused_only_when_what_must_be_kept_does_not_fit(
    conversation: list[CountedMessage], context: int, count: Counter
) -> None:
    fitting = fit(conversation, context, count)

    must = [counted.message for counted in conversation if counted.message.role == "system"]
    assert (fitting is None) == (count([*must, conversation[-1].message]) > context - 16)


@given(conversations(), CONTEXTS, counters(), st.integers(0, 3))
def test_wrong_single_counts_change_nothing(
    conversation: list[CountedMessage], context: int, count: Counter, factor: int
) -> None:
    wrong = [CountedMessage(counted.message, counted.tokens * factor) for counted in conversation]

    exact, guessed = fit(conversation, context, count), fit(wrong, context, count)

    assert (exact and exact.messages) == (guessed and guessed.messages)


def test_a_long_history_takes_few_counts() -> None:
    conversation = [counted(("user", "assistant")[index % 2], 5, index) for index in range(2000)]
    conversation.append(counted("user", 5, 2000))
    count = Counter(per_message=12)

    fitting = fit(conversation, 8192, count)

    assert fitting is not None
    assert fitting.dropped_messages > 0
    assert count.calls < 10


def test_the_newest_user_message_is_kept_with_what_follows_it() -> None:
    roles = ["user", "assistant", "user", "assistant", "tool"]
    conversation = [counted(role, 10, index) for index, role in enumerate(roles)]

    fitting = fit(conversation, 16 + 3 * 13 + 2, Counter())

    assert fitting is not None
    assert kept_indexes(conversation, fitting) == [2, 3, 4]


def test_the_refusal_names_the_numbers() -> None:
    with pytest.raises(ContextLengthExceededError, match=r"context is 64 tokens.* need\s105 tokens .* reply 16 more"):
        truncate([counted("user", 100, 0)], context_tokens=64, max_tokens=16, count_prompt=Counter())


@pytest.mark.parametrize(
    ("context_tokens", "max_tokens", "budget"), [(512, None, 384), (8192, None, 7168), (512, 40, 472), (512, 0, 512)]
)
def test_the_reply_is_left_its_room(context_tokens: int, max_tokens: int | None, budget: int) -> None:
    assert budget_tokens(context_tokens, max_tokens) == budget


def test_a_reply_as_long_as_the_context_is_refused() -> None:
    with pytest.raises(ContextLengthExceededError, match="the reply alone is to have 512"):
        budget_tokens(512, 512)


@st.composite
def agents(draw: st.DrawFn) -> list[CountedMessage]:
    """A history as a model with tools makes it: calls, their results, replies; the last step may be anything."""
    messages: list[CountedMessage] = [counted("system", draw(SIZES), 0)] * draw(st.integers(0, 1))
    for _ in range(draw(st.integers(1, 4))):
        messages.append(counted("user", draw(SIZES), len(messages)))
        for calls in draw(st.lists(st.integers(0, 3), max_size=5)):
            ids = [f"call_{len(messages)}_{index}" for index in range(calls)]
            messages.append(calling(ids, draw(SIZES), len(messages)))
            for call_id in ids:
                messages.append(answering(call_id, draw(SIZES), len(messages)))
    return messages


def calling(ids: list[str], size: int, index: int) -> CountedMessage:
    said = counted("assistant", size, index)
    calls = [ToolCall(id=call_id, function=FunctionCall(name="sun", arguments="{}")) for call_id in ids]
    return CountedMessage(said.message.model_copy(update={"tool_calls": tuple(calls) or None}), said.tokens)


def answering(call_id: str, size: int, index: int) -> CountedMessage:
    said = counted("tool", size, index)
    return CountedMessage(said.message.model_copy(update={"tool_call_id": call_id}), said.tokens)


@given(agents(), CONTEXTS, counters())
def test_a_tools_result_never_stands_without_its_call_nor_a_call_without_its_results(
    conversation: list[CountedMessage], context: int, count: Counter
) -> None:
    fitting = fit(conversation, context, count)
    assume(fitting is not None)

    assert fitting is not None
    called = [call.id for message in fitting.messages for call in message.tool_calls or ()]
    answered = [message.tool_call_id for message in fitting.messages if message.role == "tool"]
    assert called == answered


@given(agents(), CONTEXTS, counters())
def test_of_an_agents_history_the_newest_user_message_and_the_newest_step_are_kept(
    conversation: list[CountedMessage], context: int, count: Counter
) -> None:
    fitting = fit(conversation, context, count)
    assume(fitting is not None)

    assert fitting is not None
    kept = kept_indexes(conversation, fitting)
    assert max(index for index, said in enumerate(conversation) if said.message.role == "user") in kept
    assert kept[-1] == len(conversation) - 1
    assert kept == sorted(kept)


@given(agents(), CONTEXTS, counters())
def test_what_an_agent_loses_is_the_oldest_of_its_history(
    conversation: list[CountedMessage], context: int, count: Counter
) -> None:
    fitting = fit(conversation, context, count)
    assume(fitting is not None)

    assert fitting is not None
    kept = set(kept_indexes(conversation, fitting))
    newest_user = max(index for index, said in enumerate(conversation) if said.message.role == "user")
    droppable = [
        index for index, said in enumerate(conversation) if said.message.role != "system" and index != newest_user
    ]
    dropped = [index for index in droppable if index not in kept]
    assert dropped == droppable[: len(dropped)]
    assert fitting.dropped_messages == len(dropped)


@given(agents(), CONTEXTS, counters())
def test_an_agents_history_is_refused_only_when_the_newest_step_does_not_fit(
    conversation: list[CountedMessage], context: int, count: Counter
) -> None:
    fitting = fit(conversation, context, count)

    roles = [said.message.role for said in conversation]
    newest_user = max(index for index, role in enumerate(roles) if role == "user")
    later = range(newest_user + 1, len(roles))
    step_at = max((index for index in later if roles[index] == "assistant"), default=len(roles))
    must = [said for said in conversation if said.message.role == "system"]
    must += [conversation[newest_user], *conversation[step_at:]]
    assert (fitting is None) == (count([said.message for said in must]) > context - 16)
