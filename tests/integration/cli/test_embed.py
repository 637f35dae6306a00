"""`drover embed` on a real stack."""

import json
from pathlib import Path

import numpy
import pytest

from tests.integration.cli.conftest import Drover


def test_each_text_is_a_line_with_its_vector_in_the_order_given(drover: Drover) -> None:
    done = drover("embed", "red", "green", "red")

    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(line["index"], line["text"]) for line in lines] == [(0, "red"), (1, "green"), (2, "red")]
    assert lines[0]["embedding"] == pytest.approx(lines[2]["embedding"], abs=1e-6)
    assert lines[0]["embedding"] != lines[1]["embedding"]


def test_more_lines_than_a_batch_keep_their_order(drover: Drover, tmp_path: Path) -> None:
    texts = [f"number {number % 7}" for number in range(150)]
    (tmp_path / "texts.txt").write_text("\n".join(texts))

    done = drover("embed", "-f", str(tmp_path / "texts.txt"))
    first = {line["text"]: line["embedding"] for line in map(json.loads, done.stdout.splitlines()[:7])}

    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["text"] for line in lines] == texts
    assert all(numpy.allclose(line["embedding"], first[line["text"]], atol=1e-5) for line in lines)


def test_json_is_the_list_that_openai_answers(drover: Drover) -> None:
    listed = json.loads(drover("embed", "-", "--format", "json", stdin="red\ngreen\n").stdout)

    assert listed["object"] == "list"
    assert listed["model"] == "all-minilm-l6-v2"
    assert listed["usage"]["total_tokens"] > 0
    assert [entry["index"] for entry in listed["data"]] == [0, 1]


@pytest.mark.parametrize(
    ("arguments", "stdin", "status", "words"),
    [
        (["-"], "red\n\nblue\n", 1, "Line 2 of standard input is empty"),
        ([], "", 2, "There is no text"),
        (["a", "-f", "b"], "", 2, "exclude each other"),
        (["-f", "/nowhere/texts"], "", 1, "/nowhere/texts cannot be read"),
        (["-m", "drover-tiny", "a"], "", 1, "drover-tiny"),
        (["-"], "a\n" * 130 + "long " * 600, 1, "Text 131: "),
    ],
)
def test_what_cannot_be_embedded_is_said(
    drover: Drover, arguments: list[str], stdin: str, status: int, words: str
) -> None:
    done = drover("embed", *arguments, stdin=stdin)

    assert done.returncode == status, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr
