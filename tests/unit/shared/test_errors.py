import pytest

from shared import errors
from shared.errors import DroverError, RateLimitError, error_from_body


def tree(root: type[DroverError]) -> list[type[DroverError]]:
    return [root, *(found for child in root.__subclasses__() for found in tree(child))]


@pytest.mark.parametrize("kind", tree(DroverError))
def test_every_error_has_a_sentence_a_status_and_its_place_in_the_drawn_tree(kind: type[DroverError]) -> None:
    error = kind()

    assert error.message.endswith(".")
    assert f"{kind.__name__:<1}" in (errors.__doc__ or "")
    assert f"{kind.status} {kind.code}" in (errors.__doc__ or "")


@pytest.mark.parametrize("kind", tree(DroverError))
def test_an_error_survives_the_wire(kind: type[DroverError]) -> None:
    sent = kind("What happened.", param="messages")

    received = error_from_body(sent.body())

    assert type(received) is kind
    assert (received.message, received.param) == ("What happened.", "messages")


def test_codes_are_unique() -> None:
    codes = [kind.code for kind in tree(DroverError)]

    assert len(codes) == len(set(codes))


def test_an_unreadable_body_is_an_upstream_error() -> None:
    assert error_from_body({"detail": "?"}).code == "upstream_error"
    assert error_from_body({"error": {"code": "new_in_a_later_version", "message": "m"}}).code == "server_error"


def test_the_shape_is_openais() -> None:
    assert RateLimitError("Slow down.").body() == {
        "error": {"message": "Slow down.", "type": "rate_limit_error", "param": None, "code": "rate_limit_exceeded"}
    }
