from dataclasses import replace
from pathlib import Path

from gateway.running import Runs
from shared.bodies.keys import Identity, Limits
from shared.catalogue import Catalogue
from shared.events import Usage
from shared.job import AnswerForm
from shared.ledger import JobStatus

STATUS = JobStatus(
    job_id="j1",
    state="running",
    seq=4,
    model="gone",
    key_id="k1",
    session_id=None,
    finish_reason=None,
    is_stored=False,
    cancel=False,
    usage=Usage(),
    accepted_ms=1_000,
    deadline_ms=61_000,
    finished_ms=None,
    on_disconnect="detach",
    resume_grace_s=30.0,
)


async def test_a_job_is_followed_also_when_its_model_has_left_the_catalogue(tmp_path: Path) -> None:
    identity = Identity(tenant_id="t1", key_id="k1", role="user", limits=Limits())

    running = Runs(Catalogue([], tmp_path)).attached(STATUS, identity, after_seq=2)

    assert (running.heading.model, running.heading.fingerprint) == ("gone", "fp_drover")
    assert (running.followed.after_seq, running.is_return) == (2, True)


async def test_an_answer_keeps_the_form_in_which_it_was_asked_for(tmp_path: Path) -> None:
    identity = Identity(tenant_id="t1", key_id="k1", role="user", limits=Limits())
    form = AnswerForm(api="completions", choices=3)

    running = Runs(Catalogue([], tmp_path)).attached(replace(STATUS, form=form), identity)

    assert running.heading.form == form
