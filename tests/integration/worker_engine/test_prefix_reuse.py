"""Prefix reuse on every engine: answers stay what they were, tenants stay apart, choices and echoes come out whole."""

import random
from typing import Any

import pytest

from shared.errors import BadRequestError
from tests.fakes.sequences import Collector, a_job, a_request
from tests.integration.worker_engine.conftest import BATCH_TOKENS, SLOTS, OpenLlama
from worker.engine.base import Engine
from worker.loaded_model import LoadedModel

ROUNDS = 200


def start(model: LoadedModel, prompt: list[int] | str, job_id: str = "j", **fields: Any) -> Collector:
    collector = Collector()
    fields = {
        "prompt": prompt if isinstance(prompt, str) else tuple(prompt),
        "max_tokens": 6,
        "ignore_eos": True,
    } | fields
    model.submit(a_request(a_job(job_id, **fields), collector))
    return collector


def answer(model: LoadedModel, prompt: list[int] | str, **fields: Any) -> Collector:
    collector = start(model, prompt, **fields)
    collector.wait()
    return collector


def tokens(seed: int, count: int) -> list[int]:
    return [random.Random(seed).randrange(40, 200) for _ in range(count)]


def cached(collector: Collector) -> int:
    return collector.final.usage.cached_tokens


def test_a_follow_up_goes_on_from_what_was_kept(model: LoadedModel) -> None:
    first = answer(model, tokens(1, 40))
    follow_up = [*tokens(1, 40), *first.token_ids, *tokens(2, 10)]
    alone = answer(model, follow_up, tenant_id="other")

    again = answer(model, follow_up)

    assert (cached(first), cached(alone), cached(again)) == (0, 0, 45)
    assert again.token_ids == alone.token_ids


def test_a_burst_with_one_prefix_says_what_each_would_say_alone(model: LoadedModel) -> None:
    prompts = [[*tokens(3, 100), *tokens(10 + index, 5 + index)] for index in range(3 * SLOTS)]
    alone = [answer(model, prompt, tenant_id=f"t{index}").token_ids for index, prompt in enumerate(prompts)]

    burst = [start(model, prompt, f"job-{index}") for index, prompt in enumerate(prompts)]
    for collector in burst:
        collector.wait()

    assert [collector.token_ids for collector in burst] == alone
    assert [cached(collector) >= 100 for collector in burst] == [False] + [True] * (3 * SLOTS - 1)


@pytest.mark.parametrize("kv_unified", [False, True])
def test_any_order_of_shared_and_other_prompts_gives_the_same_answers(
    open_llama: OpenLlama, entry: Any, kv_unified: bool
) -> None:
    chance = random.Random(8)
    model = LoadedModel(entry, open_llama(kv_unified=kv_unified), stall_s=5, prefill_stall_s=60)
    prompts = [[*tokens(chance.randrange(3), chance.randrange(1, 90)), *tokens(index, 9)] for index in range(24)]
    alone = [answer(model, prompt, tenant_id=f"t{index}").token_ids for index, prompt in enumerate(prompts)]

    for _ in range(4):
        order = chance.sample(range(24), 24)
        lengths = {index: chance.randrange(1, 7) for index in order}
        burst = {index: start(model, prompts[index], f"j{index}", max_tokens=lengths[index]) for index in order}
        for index, collector in burst.items():
            collector.wait()
            assert collector.token_ids == alone[index][: lengths[index]]
    model.close()


def test_two_tenants_with_the_same_prompts_never_meet(model: LoadedModel) -> None:
    marks = {"one": [211], "two": [212]}
    past: dict[str, list[list[int]]] = {"one": [], "two": []}
    chance = random.Random(5)
    for number in range(ROUNDS):
        shared = tokens(chance.randrange(60), 30)
        asked = {tenant: [*shared, *mark, *tokens(number, 4)] for tenant, mark in marks.items()}
        started = {
            tenant: [start(model, prompt, f"{tenant}-{index}", tenant_id=tenant, max_tokens=3) for index in range(2)]
            for tenant, prompt in asked.items()
        }
        for tenant, prompt in asked.items():
            first, second = started[tenant]
            first.wait()
            second.wait()
            assert cached(first) <= max((common(prompt, old) for old in past[tenant]), default=0)
            assert cached(second) < len(prompt)
            assert first.token_ids == second.token_ids
            past[tenant].append(prompt + first.token_ids)
    assert all(any(common(one, two) >= 30 for two in past["two"]) for one in past["one"])


def common(one: list[int], other: list[int]) -> int:
    return next(
        (index for index, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other))
    )


def test_choices_share_their_prompt_and_end_together(model: LoadedModel) -> None:
    prompt = tokens(4, 50)
    single = answer(model, prompt, temperature=1.0, seed=2)

    several = answer(model, prompt, temperature=1.0, seed=2, n=3, tenant_id="u")

    by_choice: dict[int, list[int]] = {}
    for event in several.events:
        for token, choice in zip(event.token_ids, event.choices or [], strict=True):
            by_choice.setdefault(choice, []).append(token)
    assert by_choice[0] == single.token_ids
    assert sorted(by_choice) == [0, 1, 2]
    assert [len(found) for found in by_choice.values()] == [6] * 3
    assert several.final.usage.completion_tokens == 18


def test_an_echo_with_logprobs_gives_every_prompt_token_its_own(model: LoadedModel, engine: Engine) -> None:
    prompt = tokens(6, BATCH_TOKENS + 30)
    neighbour = start(model, tokens(7, 20), "neighbour", max_tokens=40)

    echoed = answer(model, prompt, echo=True, top_logprobs=2)
    neighbour.wait()

    logprobs = [token for event in echoed.events for token in event.logprobs or ()]
    assert echoed.token_ids[: len(prompt)] == prompt
    assert [token[0].token_id for token in logprobs[1:]] == echoed.token_ids[1:]
    assert logprobs[0] == []
    assert {len(token) for token in logprobs[1:]} == {3}
    assert all(token[1].logprob >= token[2].logprob for token in logprobs[1:])
    assert echoed.token_ids[len(prompt) :] == answer(model, prompt, tenant_id="u").token_ids
    assert len(neighbour.token_ids) == 40


@pytest.mark.parametrize("prompt", [(5, 10**6), (-1,), ()])
def test_ids_that_are_no_prompt_are_refused(model: LoadedModel, prompt: tuple[int, ...]) -> None:
    neighbour = start(model, tokens(1, 10), "neighbour")

    with pytest.raises(BadRequestError) as refused:
        start(model, list(prompt))

    assert refused.value.param == "prompt"
    assert neighbour.wait().finish_reason == "length"


def test_a_raw_prompt_goes_through_no_template(model: LoadedModel, engine: Engine) -> None:
    collector = answer(model, "one small fox", max_tokens=2, echo=True)

    assert collector.text.startswith("one small fox")
    assert collector.final.usage.prompt_tokens == len(engine.tokenize("one small fox"))


def test_a_prompt_as_long_as_the_context_is_refused_by_its_name(model: LoadedModel, engine: Engine) -> None:
    refused = answer(model, [50] * engine.context_length)

    assert refused.error_code == "context_length_exceeded"
    assert (refused.final.error or {})["param"] == "prompt"


def test_many_mixed_jobs_leave_nothing_behind(model: LoadedModel, engine: Any) -> None:
    chance = random.Random(2)
    started = []
    for number in range(250):
        prompt = [*tokens(chance.randrange(4), chance.randrange(1, 60)), *tokens(number, 3)]
        fields = {"n": chance.choice([1, 1, 3]), "priority": chance.choice(["interactive", "batch"])}
        fields |= {"tenant_id": chance.choice("ab"), "max_tokens": chance.randrange(3), "echo": chance.random() < 0.2}
        started.append(start(model, prompt, f"job-{number}", **fields))
        if chance.random() < 0.1:
            model.cancel(f"job-{number}", 1)
    for collector in started:
        collector.wait()

    assert (model.unfinished, model.busy_slots, engine.open_samplers) == (0, 0, 0)
