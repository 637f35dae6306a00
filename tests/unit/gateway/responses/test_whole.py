"""A response in one piece is what its stream's last event holds."""

import json

import pytest

from gateway.responses.whole import WholeResponse
from shared.events import FinishReason
from shared.job import AnswerForm
from tests.unit.gateway.responses.test_stream import (
    CALL,
    PLAIN,
    TWO_CALLS,
    WITH_TOOLS,
    described,
    ended,
    events_of,
    tokens_of,
    told,
)


@pytest.mark.parametrize(
    ("texts", "form", "reason"),
    [
        (["Hel", "lo"], PLAIN, "stop"),
        (TWO_CALLS, WITH_TOOLS, "stop"),
        (CALL[:-2], WITH_TOOLS, "length"),
        ([], PLAIN, "cancelled"),
    ],
)
def test_it_is_what_the_last_event_holds(texts: list[str], form: AnswerForm, reason: FinishReason) -> None:
    tokens, end = tokens_of(texts, has_logprobs=True), ended(len(texts), reason, " held")
    whole = WholeResponse(described(), form)

    whole.add(tokens)

    assert json.loads(whole.answer(end)) == events_of(told([tokens], end, form=form))[-1]["response"]


def test_a_reply_that_could_not_be_stored_in_time_is_told() -> None:
    end = ended(0)
    whole = WholeResponse(described(), PLAIN)

    answer = json.loads(whole.answer(type(end)(end.final, is_persisted=False)))

    assert answer["drover"] == {"persisted": False}
