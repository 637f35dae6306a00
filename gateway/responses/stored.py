"""A stored response: its object, and the stream of one whose log is gone."""

from typing import Any

from gateway.responses.document import Described, Status, error_of, usage_of
from gateway.responses.shown_items import items_of
from gateway.responses.stream import ResponseStream, item_status
from shared.bodies.stored_turns import TurnBody
from shared.job import AnswerForm


def stored_document(turn: TurnBody, standing: Status = "in_progress") -> dict[str, Any]:
    """The response as Postgres has it; `standing` is what the ledger says of one that has not ended."""
    described = Described.of_turn(turn)
    status = _status_of(turn, standing)
    if turn.state == "pending":
        return described.document(status)
    if status == "failed":
        return described.document(status, output=_output(turn, status), error=error_of(turn.error))
    usage = None if turn.usage is None else usage_of(turn.usage)
    document = described.document(status, output=_output(turn, status), usage=usage)
    return {**document, "completed_at": turn.finished_at} if status == "completed" else document


def stored_stream(turn: TurnBody) -> bytes:
    """The whole stream of a response that has ended: its tokens are not known any more, its text is.

    Its numbers are its own; nobody can go on from a number of the live stream.
    """
    stream = ResponseStream(Described.of_turn(turn), AnswerForm(api="responses"))
    return stream.created() + stream.stored(turn.output, stored_document(turn))


def _status_of(turn: TurnBody, standing: Status) -> Status:
    if turn.state == "pending":
        return standing
    if turn.state == "done":
        return "incomplete" if turn.finish_reason == "length" else "completed"
    return turn.state


def _output(turn: TurnBody, status: Status) -> list[dict[str, Any]]:
    """One that ended well has an item at least, as its stream had."""
    reply = turn.output
    if reply is None or (status != "completed" and not (reply.content or reply.tool_calls)):
        return []
    *done, last = items_of(reply)
    return [{**item, "status": "completed"} for item in done] + [{**last, "status": item_status(status)}]
