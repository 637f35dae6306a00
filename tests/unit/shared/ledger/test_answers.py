import pytest

from shared.events import Usage
from shared.ledger import JobStatus, LimitUsage
from shared.ledger.answers import duration


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (0.0004, "0s"),
        (0.017, "17ms"),
        (0.9996, "1s"),
        (1, "1s"),
        (1.26, "1.3s"),
        (59.96, "1m0s"),
        (60, "1m0s"),
        (360, "6m0s"),
        (3723.5, "1h2m3.5s"),
    ],
)
def test_a_duration_reads_as_openai_writes_it(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_headers_name_only_the_limits_that_are_set() -> None:
    usage = LimitUsage(limit_tokens=1000, remaining_tokens=0, reset_tokens_s=60.0)

    assert usage.headers() == {
        "x-ratelimit-limit-tokens": "1000",
        "x-ratelimit-remaining-tokens": "0",
        "x-ratelimit-reset-tokens": "1m0s",
    }
    assert LimitUsage().headers() == {}


@pytest.mark.parametrize(
    ("state", "is_final"),
    [("queued", False), ("running", False), ("done", True), ("dead", True), ("expired", True), ("cancelled", True)],
)
def test_a_job_is_final_unless_it_waits_or_runs(state: str, is_final: bool) -> None:
    status = JobStatus("j", state, 0, "m", "k", None, None, False, False, Usage(), 1, 2, None, "cancel", 30.0)  # type: ignore[arg-type]

    assert status.is_final is is_final
