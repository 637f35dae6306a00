"""The choices of a job as sequences, each where an earlier life has left it."""

from shared.errors import ContextLengthExceededError
from shared.events import TokensEvent
from shared.job import GenerateJob
from worker.answer import Answer, Ending
from worker.emission import Emission
from worker.engine.base import Engine
from worker.sequence import Begun, Sequence, SequenceRequest


def sequences_of(request: SequenceRequest, prompt: list[int], engine: Engine) -> list[Sequence]:
    """A sequence for every choice, also for those that are over; they share their `answer`.

    Of a prompt that is too long they are over with a ContextLengthExceededError.
    """
    job = request.job
    logged = _by_choice(request.logged, job.n)
    seq = sum(len(tokens) for tokens, _ in logged)
    answer = Answer(job, request.epoch, prompt, Emission(job, request.epoch, seq, request.emit), engine)
    echo = len(prompt) if job.echo else 0
    answer.echoed = [min(len(tokens), echo) for tokens, _ in logged]
    if len(prompt) >= engine.context_length:
        answer.end_with(Ending("error", _too_long(job, len(prompt), engine.context_length)))
    begun = [_begun(job, tokens[echo:], texts[echo:], engine) for tokens, texts in logged]
    answer.end_tokens = sum(one.is_ended for one in begun)
    return [Sequence(answer, choice, one, engine) for choice, one in enumerate(begun)]


def _by_choice(events: list[TokensEvent], n: int) -> list[tuple[list[int], list[str]]]:
    """The logged tokens of each choice, and their texts."""
    split: list[tuple[list[int], list[str]]] = [([], []) for _ in range(n)]
    for event in events:
        choices = event.choices or [0] * len(event.token_ids)
        for token, text, choice in zip(event.token_ids, event.texts, choices, strict=True):
            tokens, texts = split[choice]
            tokens.append(token)
            texts.append(text)
    return split


def _begun(job: GenerateJob, tokens: list[int], texts: list[str], engine: Engine) -> Begun:
    is_ended = job.n > 1 and not job.sampling.ignore_eos and bool(tokens) and tokens[-1] in engine.end_tokens
    return Begun(tokens[:-1] if is_ended else tokens, "".join(texts), is_ended)


def _too_long(job: GenerateJob, size: int, context_length: int) -> ContextLengthExceededError:
    message = (
        f"The prompt has {size} tokens, the model's context holds {context_length}, its answer included; shorten the "
        "prompt or choose a model with a longer context."
    )
    return ContextLengthExceededError(message, param="messages" if job.prompt is None else "prompt")
