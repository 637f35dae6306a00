import io
import time
from typing import Any

import pytest
from rich.console import Console

from cli.session_views import ago, cost_table, markdown, sessions_table, transcript


def session(session_id: str = "sess_1", title: str | None = "A talk", **fields: Any) -> dict[str, Any]:
    basics = {"message_count": 2, "updated_at": int(time.time()), "forked_from": None}
    return {"id": session_id, "title": title, **basics, **fields}


def message(role: str, content: str, finish_reason: str | None = None) -> dict[str, Any]:
    return {"role": role, "content": content, "finish_reason": finish_reason}


def shown(what: object, width: int = 200) -> str:
    console = Console(file=io.StringIO(), width=width, markup=False, emoji=False, highlight=False)
    console.print(what)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "0 s ago"), (59, "59 s ago"), (61, "1 min ago"), (7200, "2 h ago"), (180_000, "2 d ago")]
)
def test_times_are_said_as_people_say_them(seconds: int, words: str) -> None:
    assert ago(int(time.time()) - seconds) == words


def test_what_is_long_ago_has_a_date() -> None:
    assert ago(1_000_000_000).startswith("2001-09-0")


def test_an_id_is_whole_on_a_narrow_terminal() -> None:
    session_id = "sess_" + "0" * 32

    assert session_id in shown(sessions_table([session(session_id, "A long title " * 10)], here=session_id), width=60)


def test_a_title_cannot_steer_the_terminal() -> None:
    table = shown(sessions_table([session(title="a\x1b]0;b\x07\n[red]c")]))
    talk = transcript(session(title="a\x1b[2Jb"), [message("assistant", "\x1b[31mred\x07")])

    assert "a]0;b [red]c" in table
    assert "\x1b" not in talk + table
    assert "\x07" not in talk


def test_a_transcript_says_how_a_message_ended_and_what_is_left_out() -> None:
    text = transcript(session(), [message("user", "Hi"), message("assistant", "He", "cancelled")], left_out=3)

    assert text.splitlines() == [
        "A talk · sess_1",
        "(3 older messages)",
        "",
        "user:",
        "Hi",
        "",
        "assistant (cancelled):",
        "He",
    ]


def test_a_document_has_a_heading_for_each_message() -> None:
    assert markdown(session(title=None), [message("user", "Hi")]) == "# sess_1\n\n## user\n\nHi\n"


def test_costs_of_several_models_are_added_up() -> None:
    part = {"turns": 1, "prompt_tokens": 10, "cached_tokens": 4, "completion_tokens": 5}
    usage = {"by_model": [{"model": "a", **part}, {"model": "b", **part}]}

    lines = shown(cost_table([session(usage=usage)])).splitlines()

    assert lines[1].split() == ["sess_1", "a", "1", "10", "4", "5", "15"]
    assert lines[-1].split() == ["all", "2", "20", "8", "10", "30"]
