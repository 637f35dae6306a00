"""A running job as the HTTP response that streams it."""

from gateway.event_stream import EventStream
from gateway.running import Running
from gateway.service import Gateway
from gateway.surface import StreamSurface


def event_stream(gateway: Gateway, running: Running, surface: StreamSurface) -> EventStream:
    return EventStream(
        gateway.completions.frames(running, surface),
        headers=running.headers(),
        stall_s=gateway.settings.send_stall_s,
        on_gone=lambda: gateway.completions.give_up(running),
    )
