import orjson
import pytest

from shared.bodies.keys import Limits
from shared.bodies.messages import Message
from shared.errors import DeadlineExceededError, InferenceError
from shared.events import FinalEvent, TokensEvent
from shared.job import GenerateJob
from shared.ledger import Idempotency, calls


def a_job(**fields: object) -> GenerateJob:
    defaults: dict[str, object] = {
        "id": "j1",
        "tenant_id": "t1",
        "key_id": "k1",
        "model": "tiny",
        "model_digest": "",
        "messages": (Message(role="user", content="Hi"),),
        "prompt_tokens_bound": 10,
    }
    return GenerateJob.model_validate(defaults | fields)


@pytest.mark.parametrize(
    ("max_tokens", "tokens_per_minute", "reserved"),
    [(90, None, 100), (90, 50, 100), (None, None, 1034), (None, 5000, 1034), (None, 500, 500), (None, 5, 10)],
)
def test_a_job_reserves_all_it_may_use_or_a_guess_that_fits(
    max_tokens: int | None, tokens_per_minute: int | None, reserved: int
) -> None:
    assert calls.reservation(a_job(max_tokens=max_tokens), tokens_per_minute) == reserved


@pytest.mark.parametrize(("max_tokens", "reserved"), [(90, 280), (None, 3082)])
def test_every_choice_is_reserved_for_and_the_prompt_once(max_tokens: int | None, reserved: int) -> None:
    assert calls.reservation(a_job(max_tokens=max_tokens, n=3), None) == reserved


def test_every_accept_has_an_id_of_its_own_that_a_re_send_keeps() -> None:
    first = calls.accept(a_job(), Limits(), max_queued_jobs=1, idempotency=None)
    second = calls.accept(a_job(), Limits(), max_queued_jobs=1, idempotency=None)

    assert first.args[1] != second.args[1]
    assert first.args[2:] == second.args[2:]


def test_a_limit_that_is_not_set_differs_from_a_limit_of_zero() -> None:
    limits = Limits(requests_per_minute=0)

    call = calls.accept(a_job(), limits, max_queued_jobs=7, idempotency=Idempotency("k", "h"))

    assert call.args[13:] == [0, -1, -1, 7, "k", "h", "interactive", "{}", ""]


def test_the_job_travels_whole() -> None:
    job = a_job(stop=("é", "\x00"), session_id="s", timeout_s=0.0005)

    call = calls.accept(job, Limits(), max_queued_jobs=1, idempotency=None)

    assert GenerateJob.model_validate_json(call.args[7]) == job


def test_an_append_carries_each_event_with_its_place() -> None:
    event = TokensEvent("j1", 4, 2, [7, 8], ["a", "b"])

    assert calls.append([event]).args == ["j1", 2, 4, 5, event.encode()]


@pytest.mark.parametrize(
    ("reason", "error", "state"),
    [
        ("stop", None, "done"),
        ("length", None, "done"),
        ("tool_calls", None, "done"),
        ("cancelled", None, "cancelled"),
        ("error", InferenceError().body()["error"], "failed"),
        ("error", DeadlineExceededError().body()["error"], "expired"),
        ("error", None, "failed"),
    ],
)
def test_a_final_event_leads_to_one_state(reason: str, error: dict[str, object] | None, state: str) -> None:
    assert calls.final_state(FinalEvent("j1", 0, 1, reason, error=error)) == state  # type: ignore[arg-type]


def test_the_errors_that_scripts_write_are_those_of_the_error_tree() -> None:
    call = calls.reap(worker_id="w", lock_ms=1000, lease_ms=1500)

    late, lost = (orjson.loads(arg) for arg in call.args[3:])
    assert call.args[:3] == ["w", 1000, 3000]
    assert (late["code"], lost["code"]) == ("deadline_exceeded", "worker_lost")
    assert set(late) == {"message", "type", "param", "code"}
