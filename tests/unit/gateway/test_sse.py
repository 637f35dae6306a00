from gateway.sse import DONE, error_frame, frame
from shared.errors import WorkerLostError


def test_a_frame_ends_with_an_empty_line() -> None:
    assert frame(b"{}") == b"data: {}\n\n"
    assert frame(b"{}", 7) == b"id: 7\ndata: {}\n\n"


def test_an_error_is_an_event_of_its_own_with_openais_body() -> None:
    assert error_frame(WorkerLostError("Lost.")) == (
        b'event: error\ndata: {"error":{"message":"Lost.","type":"server_error","param":null,"code":"worker_lost"}}\n\n'
    )


def test_the_end_is_openais() -> None:
    assert DONE == b"data: [DONE]\n\n"
