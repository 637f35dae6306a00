"""Which loopback ports a stack takes."""

import socket
from collections.abc import Iterator

import pytest

from cli.stack.errors import StackError
from cli.stack.ports import LOOPBACK, Ports, is_free


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server((LOOPBACK, 0)) as listener:
        yield listener.getsockname()[1]


def test_a_port_on_which_somebody_listens_is_not_free(taken: int) -> None:
    assert not is_free(taken)


def test_an_explicit_port_that_is_taken_is_refused_with_its_number(taken: int) -> None:
    with pytest.raises(StackError, match=f"Port {taken} is taken"):
        Ports().exactly(taken)


def test_the_next_free_port_is_taken_instead_of_a_busy_default(taken: int) -> None:
    chosen = Ports().at_or_after(taken)

    assert taken < chosen < taken + 100


def test_no_port_is_handed_out_twice() -> None:
    ports = Ports()

    chosen = [ports.any() for _ in range(50)]

    assert len(set(chosen)) == 50


def test_chosen_ports_lie_below_the_range_of_outgoing_connections() -> None:
    assert Ports().any() < 32768
