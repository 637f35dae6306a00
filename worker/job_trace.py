"""The spans of one claimed job, made when this worker is done with it: decoding writes down times and nothing else."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind

from shared.events import FinalEvent
from shared.hints import queue_of
from shared.job import GenerateJob, SamplingParams
from shared.ledger import Claimed
from shared.telemetry import log_context, traces
from worker.running import RunningJob

_SAMPLING = ("top_p", "top_k", "frequency_penalty", "presence_penalty", "seed")
_DEFAULTS = SamplingParams()


@contextmanager
def traced(claimed: Claimed, job: RunningJob, *, worker_id: str, began_ns: int) -> Iterator[None]:
    """The job's `claim` span is current within the block, and log lines say whose job it is.

    At the block's end the job is over, and its other spans are told. `began_ns`: when the claim was sent.
    """
    asked = claimed.job
    attributes = _claim_attributes(claimed, worker_id, began_ns)
    claim = traces.begin_remote_span("claim", asked.traceparent, SpanKind.CONSUMER, attributes, start_ns=began_ns)
    try:
        with (
            log_context(job_id=asked.id, tenant_id=asked.tenant_id),
            trace.use_span(claim, record_exception=False, set_status_on_exception=False),
        ):
            yield
    finally:
        if claim.is_recording():
            _tell(claim, job, accepted_ns=_accepted_ns(claimed), began_ns=began_ns)
        claim.end()


def _tell(claim: Span, job: RunningJob, *, accepted_ns: int, began_ns: int) -> None:
    times, final = job.times, job.final
    claim.set_attribute("drover.outcome", final.finish_reason if final and times.finished_ns else "left")
    if error := _error_of(final):
        traces.fail(claim, error)
    _tell_load(claim, job, accepted_ns, began_ns)
    if times.submitted_ns:
        _tell_chat(claim, job)
    if times.finished_ns:
        traces.note_span("finish", claim, times.finishing_ns, times.finished_ns)


def _tell_load(claim: Span, job: RunningJob, accepted_ns: int, began_ns: int) -> None:
    """A load that the job has waited for: before its claim, when the model was fetched for the queue that it was in."""
    loaded = job.loaded
    if loaded is None or loaded.load_ended_ns < accepted_ns:
        return
    attributes = {"gen_ai.request.model": loaded.entry.name}
    is_within = loaded.load_ended_ns > began_ns
    parent = claim if is_within else (job.job.traceparent or "")
    start_ns = max(loaded.load_began_ns, began_ns if is_within else accepted_ns)
    traces.note_span("load model", parent, start_ns, loaded.load_ended_ns, attributes=attributes)


def _tell_chat(claim: Span, job: RunningJob) -> None:
    times, final, answer = job.times, job.final, job.answer
    ended_ns = times.ended_ns or time.time_ns()
    kind = "chat" if job.job.prompt is None else "text_completion"
    events = [("first token", times.first_token_ns)] if times.first_token_ns else []
    chat = traces.note_span(
        f"{kind} {job.job.model}",
        claim,
        times.submitted_ns,
        ended_ns,
        attributes={"gen_ai.operation.name": kind, **_asked(job.job), **_answered(job, final)},
        events=events,
        error=_error_of(final),
    )
    if answer is not None and answer.begun_ns:
        has_echoed_first = 0 < times.first_token_ns < answer.begun_ns
        until_ns = ended_ns if has_echoed_first or not times.first_token_ns else times.first_token_ns
        prompt = {"gen_ai.usage.input_tokens": answer.prompt_size}
        traces.note_span("prefill", chat, answer.begun_ns, until_ns, attributes=prompt)


def _claim_attributes(claimed: Claimed, worker_id: str, began_ns: int) -> traces.Attributes:
    job = claimed.job
    waited_s = max(0.0, (began_ns - _accepted_ns(claimed)) / 1e9)
    return {
        traces.JOB_ID: job.id,
        **({traces.SESSION_ID: job.session_id} if job.session_id else {}),
        "drover.epoch": claimed.epoch,
        "drover.tokens_before": claimed.seq,
        "drover.worker.id": worker_id,
        "drover.since_accepted_s" if claimed.epoch > 1 else "drover.queue_wait_s": waited_s,
        "messaging.destination.name": queue_of(job.model),
    }


def _accepted_ns(claimed: Claimed) -> int:
    """By Redis' clock: a wait of it by this machine's clock is as exact as the two agree."""
    return round((claimed.deadline_ms - claimed.job.timeout_s * 1000) * 1e6)


def _asked(job: GenerateJob) -> traces.Attributes:
    """The request in the words of OpenTelemetry's conventions for GenAI; no text of it, so no stop strings."""
    sampling = job.sampling
    chosen = {
        f"gen_ai.request.{name}": getattr(sampling, name)
        for name in _SAMPLING
        if getattr(sampling, name) != getattr(_DEFAULTS, name)
    }
    optional = {
        **chosen,
        "gen_ai.request.max_tokens": job.max_tokens,
        "gen_ai.request.choice.count": job.n if job.n > 1 else None,
        traces.SESSION_ID: job.session_id,
    }
    return {
        "gen_ai.provider.name": traces.PROVIDER,
        "gen_ai.request.model": job.model,
        "gen_ai.request.temperature": sampling.temperature,
        **{name: value for name, value in optional.items() if value is not None},
    }


def _answered(job: RunningJob, final: FinalEvent | None) -> traces.Attributes:
    """Nothing of an answer that another worker will end."""
    if final is None:
        return {}
    times = job.times
    first_s = (times.first_token_ns - times.submitted_ns) / 1e9
    return {
        "gen_ai.response.id": job.id,
        "gen_ai.response.model": job.job.model,
        "gen_ai.response.finish_reasons": [final.finish_reason, *(end.finish_reason for end in final.others)],
        "gen_ai.usage.input_tokens": final.usage.prompt_tokens,
        "gen_ai.usage.output_tokens": final.usage.completion_tokens,
        "gen_ai.usage.cache_read.input_tokens": final.usage.cached_tokens,
        **({"gen_ai.response.time_to_first_chunk": first_s} if times.first_token_ns else {}),
    }


def _error_of(final: FinalEvent | None) -> str | None:
    """The code of what a job failed with; its message may repeat what the caller sent."""
    return None if final is None or final.error is None else str(final.error.get("code") or final.error.get("type"))
