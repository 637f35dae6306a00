"""The main job, as OpenAI's own client sees it."""

from concurrent.futures import ThreadPoolExecutor

import openai
import pytest

from tests.stack import Stack

CAPITAL = [{"role": "user", "content": "What is the capital of France?"}]


def test_a_plain_answer_comes_from_the_real_model(client: openai.OpenAI, stack: Stack) -> None:
    answer = client.chat.completions.create(model=stack.model, messages=CAPITAL, temperature=0)

    assert "Paris" in answer.choices[0].message.content
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens > 0


def test_a_streamed_answer_equals_the_plain_one_in_text_and_usage(client: openai.OpenAI, stack: Stack) -> None:
    plain = client.chat.completions.create(model=stack.model, messages=CAPITAL, temperature=0)

    chunks = list(
        client.chat.completions.create(
            model=stack.model,
            messages=CAPITAL,
            temperature=0,
            stream=True,
            stream_options={"include_usage": True},
        )
    )

    deltas = [choice.delta.content or "" for chunk in chunks for choice in chunk.choices]
    assert "".join(deltas) == plain.choices[0].message.content
    cached = {"prompt_tokens_details"}  # depends on what the worker has answered before
    assert chunks[-1].usage.model_dump(exclude=cached) == plain.usage.model_dump(exclude=cached)
    assert [c.finish_reason for chunk in chunks for c in chunk.choices if c.finish_reason] == ["stop"]


def test_the_same_seed_gives_the_same_text(client: openai.OpenAI, stack: Stack) -> None:
    def sampled(seed: int) -> str | None:
        answer = client.chat.completions.create(
            model=stack.model,
            messages=[{"role": "user", "content": "Tell me a story."}],
            temperature=1.5,
            seed=seed,
            max_tokens=40,
        )
        return answer.choices[0].message.content

    first, again, other = sampled(1), sampled(1), sampled(2)

    assert first == again
    assert first != other


def test_max_tokens_ends_the_answer_with_length(client: openai.OpenAI, stack: Stack) -> None:
    answer = client.chat.completions.create(
        model=stack.model, messages=CAPITAL, max_tokens=3, temperature=0, extra_body={"ignore_eos": True}
    )

    assert answer.choices[0].finish_reason == "length"
    assert answer.usage.completion_tokens == 3


def test_a_stop_string_ends_the_answer_and_is_not_in_it(client: openai.OpenAI, stack: Stack) -> None:
    whole = client.chat.completions.create(model=stack.model, messages=CAPITAL, temperature=0)
    assert "Par" in whole.choices[0].message.content

    cut = client.chat.completions.create(model=stack.model, messages=CAPITAL, temperature=0, stop=["aris"])

    assert cut.choices[0].message.content == whole.choices[0].message.content.split("aris")[0]
    assert cut.choices[0].finish_reason == "stop"


def test_sixteen_streams_at_once_are_not_mixed_up(client: openai.OpenAI, stack: Stack) -> None:
    capitals = {"France": "Paris", "Italy": "Rome", "Spain": "Madrid", "Japan": "Tokyo"}

    def ask(country: str) -> tuple[str, str]:
        question = [{"role": "user", "content": f"What is the capital of {country}?"}]
        stream = client.chat.completions.create(model=stack.model, messages=question, temperature=0, stream=True)
        return country, "".join(chunk.choices[0].delta.content or "" for chunk in stream)

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(ask, list(capitals) * 4))

    for country, answer in answers:
        assert capitals[country] in answer


def test_models_are_listed_and_found_by_name(client: openai.OpenAI, stack: Stack) -> None:
    listed = {model.id for model in client.models.list()}

    assert {stack.model, stack.embedding_model} <= listed
    assert client.models.retrieve(stack.model).id == stack.model
    with pytest.raises(openai.NotFoundError) as refused:
        client.models.retrieve("gpt-9")
    assert refused.value.code == "model_not_found"


def test_similar_texts_have_similar_embeddings(client: openai.OpenAI, stack: Stack) -> None:
    texts = ["A cat sits on the mat.", "A kitten is sitting on a rug.", "The stock market fell sharply."]

    vectors = [row.embedding for row in client.embeddings.create(model=stack.embedding_model, input=texts).data]

    def cosine(a: list[float], b: list[float]) -> float:
        return sum(x * y for x, y in zip(a, b, strict=True))

    assert cosine(vectors[0], vectors[1]) > cosine(vectors[0], vectors[2]) + 0.2
    assert len(vectors[0]) == 384
