"""/v1/jobs: how a job stands, its stream from any token on, its cancellation."""

from typing import Annotated

from fastapi import APIRouter, Header, Path, Query, Response

from gateway.anthropic.stream import MessageStream
from gateway.auth import require_writer
from gateway.bodies.jobs import JobBody
from gateway.chat.stream import ChatStream
from gateway.native.answer import NativeStream
from gateway.routes.answers import answers
from gateway.routes.dependencies import GatewayParts, WhoCalls
from gateway.routes.responses import stream_of_job
from gateway.routes.streaming import event_stream
from gateway.text.stream import TextStream

router = APIRouter(tags=["jobs"])

JobId = Annotated[str, Path(description="the `x-job-id` of the answer", max_length=128)]
Seq = Annotated[int | None, Query(ge=0, le=2**53, description="the `id` of the last event that was received")]
LastEventId = Annotated[
    int | None, Header(alias="Last-Event-ID", ge=0, le=2**53, description="the same, as browsers send it")
]

EXAMPLE = {
    "id": "0198c0de",
    "object": "job",
    "state": "done",
    "model": "drover-tiny",
    "session_id": None,
    "tokens": 3,
    "finish_reason": "stop",
    "is_cancel_wanted": False,
    "created_at": 1763596800,
    "deadline_at": 1763597400,
    "finished_at": 1763596801,
    "usage": {"prompt_tokens": 14, "completion_tokens": 3, "total_tokens": 17},
}
DESCRIBED = answers(EXAMPLE)

SURFACES: dict[str, type[TextStream | NativeStream | MessageStream]] = {
    "completions": TextStream,
    "native": NativeStream,
    "messages": MessageStream,
}
"""APIs whose streams go on in their own form; all others' go on as chat completions."""


@router.get("/v1/jobs/{job_id}", summary="Tell how a job stands", responses=DESCRIBED)
async def get_job(job_id: JobId, gateway: GatewayParts, identity: WhoCalls) -> JobBody:
    """Until two minutes after its end, then 410."""
    return JobBody.of(await gateway.jobs.status(job_id, identity.tenant_id))


@router.get(
    "/v1/jobs/{job_id}/stream",
    summary="Go on with a job's stream, on any gateway",
    response_class=Response,
    responses={200: {"content": {"text/event-stream": {"example": 'id: 7\ndata: {"id":"chatcmpl-…"}\n\n'}}}},
)
async def stream_job(
    job_id: JobId,
    gateway: GatewayParts,
    identity: WhoCalls,
    last_event_id: LastEventId = None,
    starting_after: Seq = None,
    include_usage: bool = False,
) -> Response:
    """The chunks after `Last-Event-ID` (or `starting_after`), then the live ones. 410 when the job's log is gone.

    They have the form of chat completions; those of a job that another API began have that API's.
    """
    last_id = last_event_id if last_event_id is not None else starting_after
    running = await gateway.completions.resume(job_id, identity, last_id or 0, has_usage=include_usage)
    if running.heading.form.api == "responses":  # its ids are no seqs
        return await stream_of_job(gateway, running, identity.tenant_id, last_id)
    surface = SURFACES.get(running.heading.form.api, ChatStream)
    return event_stream(gateway, running, surface(running.heading, after_seq=running.after_seq))


@router.post("/v1/jobs/{job_id}/cancel", summary="Cancel a job", responses=DESCRIBED)
async def cancel_job(job_id: JobId, gateway: GatewayParts, identity: WhoCalls) -> JobBody:
    """A queued job ends at once, a running one within a token or two; one that has ended stays as it is."""
    require_writer(identity)
    return JobBody.of(await gateway.jobs.cancel(job_id, identity.tenant_id))
