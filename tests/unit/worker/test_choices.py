"""The choices of a job: one numbering, the prompt's echo, and what a continued job knows of them."""

from typing import Any

import pytest

from shared.catalogue import ModelEntry
from shared.events import TokensEvent
from tests.fakes.sequences import Collector, a_job, a_request
from worker.answer import Ending
from worker.batcher import Batcher
from worker.choices import sequences_of
from worker.engine.simulated import END_TOKEN, SimulatedEngine, SimulatedOptions

PROMPT = [*range(60, 90)]


@pytest.fixture
def engine() -> SimulatedEngine:
    entry = ModelEntry(name="m", file="m", kind="chat", context_length=128)
    options = SimulatedOptions(slots=4, batch_tokens=16, step_ms=0, prompt_token_ms=0, answer_tokens=10)
    return SimulatedEngine(entry, options)


@pytest.fixture
def batcher(engine: SimulatedEngine) -> Batcher:
    return Batcher(engine)


def submit(batcher: Batcher, prompt: list[int] = PROMPT, logged: list[TokensEvent] | None = None, **fields: Any) -> Any:
    collector = Collector()
    request = a_request(a_job(**fields), collector, logged=logged, epoch=2 if logged else 1)
    batcher.submit(sequences_of(request, prompt, batcher._engine))
    return collector


def answer(batcher: Batcher, prompt: list[int] = PROMPT, **fields: Any) -> Collector:
    collector: Collector = submit(batcher, prompt, **fields)
    for _ in range(500):
        if not batcher.unfinished:
            return collector
        batcher.step()
    raise AssertionError("no end")


def of_choice(events: list[TokensEvent], choice: int) -> list[int]:
    return [
        token
        for event in events
        for token, one in zip(event.token_ids, event.choices or [0] * len(event.token_ids), strict=True)
        if one == choice
    ]


def test_one_numbering_goes_over_all_choices(batcher: Batcher) -> None:
    collector = answer(batcher, n=3, max_tokens=5)

    assert [event.first_seq for event in collector.events] == [*range(1, 16)]
    assert [len(of_choice(collector.events, choice)) for choice in range(3)] == [5, 5, 5]
    assert collector.final.last_seq == 15
    assert (collector.final.usage.prompt_tokens, collector.final.usage.completion_tokens) == (30, 15)
    assert [end.finish_reason for end in collector.final.others] == ["length", "length"]


def test_the_choices_share_their_prompt(batcher: Batcher, engine: SimulatedEngine) -> None:
    decoded: list[int] = []
    plain = engine.decode
    engine.decode = lambda pieces: (decoded.append(sum(len(one.tokens) for one in pieces)), plain(pieces))[1]  # type: ignore[func-returns-value,method-assign]

    collector = answer(batcher, n=4, max_tokens=1)

    assert sum(decoded) == len(PROMPT) + 3
    assert collector.final.usage.cached_tokens == 0


def test_the_choices_differ_and_the_first_is_what_a_single_one_would_be(batcher: Batcher) -> None:
    single = answer(batcher, max_tokens=8, seed=3)
    several = answer(batcher, n=2, max_tokens=8, seed=3)

    assert of_choice(several.events, 0) == single.token_ids
    assert of_choice(several.events, 1) != single.token_ids


def test_more_choices_than_slots_take_turns(batcher: Batcher) -> None:
    collector = answer(batcher, n=11, max_tokens=4)

    assert [len(of_choice(collector.events, choice)) for choice in range(11)] == [4] * 11


def test_the_end_token_of_a_choice_is_logged_but_not_counted(batcher: Batcher) -> None:
    collector = answer(batcher, n=2, max_tokens=50)

    for choice in range(2):
        tokens = of_choice(collector.events, choice)
        assert (len(tokens), tokens[-1]) == (11, END_TOKEN)
    assert collector.final.usage.completion_tokens == 20
    assert [end.finish_reason for end in collector.final.others] == ["stop"]


@pytest.mark.parametrize("echo", [False, True])
@pytest.mark.parametrize("top_logprobs", [None, 1])
@pytest.mark.parametrize("life", [1, 3, 20, 31, 40, 61, 66, 75, 81])
def test_a_continued_job_goes_on_with_every_choice(
    batcher: Batcher, life: int, echo: bool, top_logprobs: int | None
) -> None:
    fields: dict[str, Any] = {"n": 2, "max_tokens": 50, "echo": echo, "top_logprobs": top_logprobs}
    whole = answer(batcher, **fields)
    cut = min(life, whole.final.last_seq)
    events = [event for event in whole.events if event.first_seq <= cut]

    rest = answer(batcher, logged=events, **fields)

    assert [event.first_seq for event in rest.events][:1] in ([events[-1].last_seq + 1], [])
    for choice in range(2):
        assert of_choice(events + rest.events, choice) == of_choice(whole.events, choice)
    assert rest.final.last_seq == whole.final.last_seq
    assert rest.final.others == whole.final.others
    assert rest.final.usage.completion_tokens == whole.final.usage.completion_tokens


@pytest.mark.parametrize("echo", [False, True])
def test_echo_and_end_tokens_are_told_apart_from_the_answer_in_every_life(batcher: Batcher, echo: bool) -> None:
    whole = answer(batcher, n=2, max_tokens=50, echo=echo)
    request = a_request(a_job(n=2, max_tokens=50, echo=echo), Collector(), logged=whole.events, epoch=2)

    told = sequences_of(request, PROMPT, batcher._engine)[0].answer

    assert told.uncounted_tokens == (2 * len(PROMPT) if echo else 0) + 2
    assert whole.final.last_seq - told.uncounted_tokens == whole.final.usage.completion_tokens


def test_an_ended_choice_stays_ended_though_its_sampler_would_go_on(batcher: Batcher, engine: SimulatedEngine) -> None:
    whole = answer(batcher, n=2, max_tokens=50)
    engine.options = SimulatedOptions(slots=4, batch_tokens=16, step_ms=0, answer_tokens=40)

    rest = answer(batcher, n=2, max_tokens=50, logged=whole.events)

    assert rest.events == []
    assert rest.final.usage.completion_tokens == 20


def test_the_text_that_a_choice_held_back_is_its_own(batcher: Batcher, engine: SimulatedEngine) -> None:
    whole = answer(batcher, n=2, max_tokens=4)
    texts = [b"".join(engine.token_bytes[token] for token in of_choice(whole.events, one)).decode() for one in (0, 1)]
    stops = tuple(text[-2:] + "§" for text in texts)

    stopped = answer(batcher, n=2, max_tokens=4, stop=stops)
    rest = answer(batcher, n=2, max_tokens=4, stop=stops, logged=stopped.events[:7])

    for collector in (stopped, rest):
        assert collector.final.text == texts[0][-2:]
        assert [end.text for end in collector.final.others] == [texts[1][-2:]]


def test_cancelling_ends_every_choice(batcher: Batcher) -> None:
    collector = submit(batcher, n=6, max_tokens=9)
    for _ in range(5):
        batcher.step()

    found = batcher.find("j1", 1)
    assert found is not None
    found.end_with(Ending("cancelled"))
    batcher.step()

    assert batcher.unfinished == 0
    assert collector.final.finish_reason == "cancelled"
    assert {end.finish_reason for end in collector.final.others} == {"cancelled"}


def test_the_echo_comes_first_and_is_not_counted(batcher: Batcher, engine: SimulatedEngine) -> None:
    collector = answer(batcher, echo=True, max_tokens=3)

    assert collector.token_ids[:30] == PROMPT
    assert collector.text.startswith(bytes(PROMPT).decode())
    assert (collector.final.last_seq, collector.final.usage.completion_tokens) == (33, 3)


def test_an_echo_alone_decodes_nothing(batcher: Batcher, engine: SimulatedEngine) -> None:
    collector = answer(batcher, echo=True, max_tokens=0)

    assert collector.token_ids == PROMPT
    assert collector.final.finish_reason == "length"
    assert engine.rows == 0


def test_an_echo_with_logprobs_has_them_for_all_tokens_but_the_first(batcher: Batcher) -> None:
    collector = answer(batcher, echo=True, top_logprobs=2, max_tokens=0)

    logprobs = [token for event in collector.events for token in event.logprobs or ()]
    assert collector.token_ids == PROMPT
    assert logprobs[0] == []
    assert [(len(token), token[0].token_id) for token in logprobs[1:]] == [(3, token) for token in PROMPT[1:]]
    assert collector.final.finish_reason == "length"


def test_every_choice_has_its_echo_before_it_says_anything(batcher: Batcher) -> None:
    collector = answer(batcher, PROMPT[:5], n=3, echo=True, top_logprobs=0, max_tokens=2)

    for choice in range(3):
        tokens = of_choice(collector.events, choice)
        assert (tokens[:5], len(tokens)) == (PROMPT[:5], 7)


def test_stop_strings_of_the_prompt_do_not_end_its_echo(batcher: Batcher) -> None:
    collector = answer(batcher, echo=True, stop=("@A",), prompt=[0x40, 0x41, 0x42], max_tokens=2)

    assert collector.text.startswith("@AB")


def test_characters_that_the_prompt_does_not_finish_are_replaced(batcher: Batcher) -> None:
    collector = answer(batcher, echo=True, prompt=[0x41, 0xC3], max_tokens=0)

    assert collector.text == "A�"


def test_logprobs_ride_beside_their_tokens(batcher: Batcher) -> None:
    collector = answer(batcher, top_logprobs=1, max_tokens=4, n=2)

    for event in collector.events:
        assert event.logprobs is not None
        assert [token[0].token_id for token in event.logprobs] == event.token_ids


def test_without_the_wish_there_are_no_logprobs_and_no_choices(batcher: Batcher) -> None:
    collector = answer(batcher, max_tokens=4)

    assert {(event.logprobs is None, event.choices is None) for event in collector.events} == {(True, True)}


def test_a_prompt_of_ids_that_is_too_long_names_its_field(batcher: Batcher) -> None:
    collector = answer(batcher, prompt=[65] * 128)
    by_ids = submit(batcher, [65] * 128)

    assert (collector.final.error or {})["param"] == "messages"
    batcher.step()
    assert by_ids.error_code == "context_length_exceeded"
