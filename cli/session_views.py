"""Sessions as people read them: a table, a transcript, what they cost."""

import time
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from rich.table import Table

from cli.conversation import text_of
from cli.terminal import printable

Fields = dict[str, Any]
_ID_CHARACTERS = len("sess_") + 32


def sessions_table(sessions: Iterable[Fields], here: str = "") -> Table:
    """One line a session; `here` is marked."""
    table = Table("", box=None, pad_edge=False)
    table.add_column("id", min_width=_ID_CHARACTERS, no_wrap=True)
    table.add_column("title", no_wrap=True, overflow="ellipsis")
    table.add_column("messages", justify="right")
    table.add_column("last used", no_wrap=True)
    for session in sessions:
        mark = "*" if session["id"] == here else ""
        title = printable(session["title"] or "–").replace("\n", " ")
        table.add_row(mark, session["id"], title, str(session["message_count"]), ago(session["updated_at"]))
    return table


def transcript(session: Fields, messages: Iterable[Fields], left_out: int = 0) -> str:
    """The session's title and id, then its messages."""
    lines = [printable(f"{session['title'] or 'no title'} · {session['id']}")]
    if fork := session["forked_from"]:
        lines.append(f"forked from {fork['session_id']}")
    if left_out:
        lines.append(f"({left_out} older messages)")
    for message in messages:
        ended = message["finish_reason"] if message["finish_reason"] not in (None, "stop") else ""
        note = f" ({ended})" if ended else ""
        lines.append(printable(f"\n{message['role']}{note}:\n{text_of(message)}"))
    return "\n".join(lines)


def markdown(session: Fields, messages: Iterable[Fields]) -> str:
    """A document to keep: a heading, then every message under its role."""
    parts = [f"# {session['title'] or session['id']}"]
    parts += [f"## {message['role']}\n\n{text_of(message)}" for message in messages]
    return "\n\n".join(parts) + "\n"


def cost_table(sessions: Iterable[Fields]) -> Table:
    """One line for each session and model, and their sum."""
    table = Table("session", "model", "turns", "prompt", "cached", "completion", "total", box=None, pad_edge=False)
    for column in table.columns[2:]:
        column.justify = "right"
    sums = [0] * 5
    for session in sessions:
        for part in session["usage"]["by_model"]:
            figures = _figures(part)
            sums = [total + figure for total, figure in zip(sums, figures, strict=True)]
            table.add_row(session["id"], printable(part["model"]), *map(str, figures))
    if table.row_count != 1:
        table.add_row("all", "", *map(str, sums))
    return table


def ago(moment: int) -> str:
    """A time as people say it: '5 min ago', and the date when it is more than a week ago."""
    seconds = max(0, int(time.time()) - moment)
    for limit, size, unit in ((60, 1, "s"), (3600, 60, "min"), (86_400, 3600, "h"), (7 * 86_400, 86_400, "d")):
        if seconds < limit:
            return f"{seconds // size} {unit} ago"
    return datetime.fromtimestamp(moment).strftime("%Y-%m-%d")


def _figures(part: Fields) -> list[int]:
    prompt, completion = part["prompt_tokens"], part["completion_tokens"]
    return [part["turns"], prompt, part["cached_tokens"], completion, prompt + completion]
