"""`drover sessions` on a real stack."""

import json
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from tests.integration.cli.conftest import Drover


@pytest.fixture(scope="module")
def talk(serving: Any) -> str:
    """A session of two turns, which the tests below share."""
    with serving.client() as client:
        session_id: str = client.post("/v1/sessions", json={"title": "A\ttalk\x1b[2J"}).json()["id"]
        for text in ("Hello.", "And now?"):
            messages = [{"role": "user", "content": text}]
            body = {"model": serving.model, "session_id": session_id, "messages": messages, "max_tokens": 4}
            assert client.post("/v1/chat/completions", json=body).status_code == 200
    return session_id


def told(done: CompletedProcess[str]) -> Any:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_list_is_a_table_for_people_and_json_for_programs(drover: Drover, talk: str) -> None:
    table = drover("sessions", "list")
    listed = told(drover("sessions", "list", "--json", "--limit", "1"))

    line = next(line for line in table.stdout.splitlines() if talk in line)
    assert line.split()[:4] == [talk, "A", "talk[2J", "4"]
    assert "\x1b" not in table.stdout
    assert [session["id"] for session in listed] == [talk]


@pytest.mark.parametrize("cut", [slice(0, 40), slice(5, 30), slice(-12, None)])
def test_a_part_of_an_id_is_enough_where_it_is_clear(drover: Drover, talk: str, cut: slice) -> None:
    shown = drover("sessions", "show", talk[cut])

    assert shown.returncode == 0, shown.stderr
    assert talk in shown.stdout
    assert "Hello." in shown.stdout


def test_a_part_that_fits_two_sessions_is_refused_with_the_way_out(drover: Drover, talk: str) -> None:
    told(drover("sessions", "fork", talk, "--json"))

    refused = drover("sessions", "show", "sess_")
    several = drover("sessions", "show", talk[:8])

    assert (refused.returncode, several.returncode) == (1, 1)
    assert "ids begin or end with" in several.stderr
    assert "give more of it" in several.stderr


def test_an_unknown_session_is_one_sentence(drover: Drover) -> None:
    done = drover("sessions", "show", "nothing")

    assert done.returncode == 1
    assert done.stderr == "There is no session 'nothing': `drover sessions list` shows which there are.\n"


def test_a_fork_ends_where_it_was_told_to(drover: Drover, talk: str) -> None:
    messages = told(drover("sessions", "show", talk, "--json"))["messages"]

    whole = told(drover("sessions", "fork", talk, "--json"))
    until = told(drover("sessions", "fork", talk, "--at", messages[1]["id"], "--title", "A fork", "--json"))
    before = told(drover("sessions", "fork", talk, "--before", messages[2]["id"], "--json"))

    assert [fork["message_count"] for fork in (whole, until, before)] == [4, 2, 2]
    assert until["title"] == "A fork"
    assert drover("sessions", "fork", talk, "--at", "a", "--before", "b").returncode == 2


def test_a_renamed_session_has_the_title(drover: Drover, talk: str) -> None:
    fork = told(drover("sessions", "fork", talk, "--json"))["id"]

    done = drover("sessions", "rename", fork, "Another title")

    assert done.returncode == 0, done.stderr
    assert told(drover("sessions", "show", fork, "--json"))["title"] == "Another title"


def test_a_deletion_asks_first_and_deletes_several(drover: Drover, talk: str) -> None:
    forks = [told(drover("sessions", "fork", talk, "--json"))["id"] for _ in range(2)]

    unasked = drover("sessions", "delete", *forks)
    done = told(drover("sessions", "delete", *forks, "--yes", "--json"))

    assert (unasked.returncode, unasked.stderr) == (1, "Nobody is there to ask: give --yes.\n")
    assert [entry["id"] for entry in done] == forks
    assert drover("sessions", "show", forks[0]).returncode == 1


def test_an_export_is_json_lines_or_a_document(drover: Drover, talk: str, tmp_path: Path) -> None:
    lines = [json.loads(line) for line in drover("sessions", "export", talk).stdout.splitlines()]
    written = drover("sessions", "export", talk, "-o", str(tmp_path / "talk.md"), "--format", "markdown")

    assert [line["object"] for line in lines] == ["session", *["session.message"] * 4]
    assert written.returncode == 0, written.stderr
    document = (tmp_path / "talk.md").read_text()
    assert document.count("## user\n\n") == document.count("## assistant\n\n") == 2


def test_an_export_that_cannot_be_written_is_one_sentence(drover: Drover, talk: str, tmp_path: Path) -> None:
    done = drover("sessions", "export", talk, "-o", str(tmp_path / "nowhere" / "talk.jsonl"))

    assert done.returncode == 1
    assert "cannot be written" in done.stderr


def test_the_cost_adds_up(drover: Drover, talk: str) -> None:
    [cost] = told(drover("sessions", "cost", talk, "--json"))
    table = drover("sessions", "cost", talk)

    assert (cost["turns"], cost["completion_tokens"]) == (2, 8)
    assert table.stdout.splitlines()[-1].split()[-2:] == ["8", str(cost["total_tokens"])]


def test_the_newest_session_is_called_last(drover: Drover, serving: Any) -> None:
    with serving.client() as client:
        newest = client.post("/v1/sessions", json={}).json()["id"]

    assert told(drover("sessions", "show", "last", "--json"))["id"] == newest
    assert drover("sessions", "fork", "last").returncode == 1
