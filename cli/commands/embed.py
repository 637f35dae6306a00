"""`drover embed`: texts to vectors, in batches and in order."""

import json
import sys
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Annotated, Any

import typer

from cli.client.errors import ApiError
from cli.inputs import STANDARD_INPUT, lines_of, piped_text, read_text
from cli.npy_format import npy_bytes
from cli.server import Server, calls_server
from cli.status_line import StatusLine
from cli.suggestions import embedding_models
from cli.terminal import is_terminal, write, write_bytes

BATCH = 128
"""The first vectors come soon, and a request stays far below the gateway's limit of a body."""


class Format(StrEnum):
    """How vectors are written."""

    JSONL = "jsonl"
    JSON = "json"
    NPY = "npy"


@calls_server
def embed(
    server: Server,
    texts: Annotated[list[str] | None, typer.Argument(help="The texts; '-' is standard input, a text a line.")] = None,
    file: Annotated[str | None, typer.Option("--file", "-f", help="A text a line.")] = None,
    model: Annotated[
        str | None,
        typer.Option("--model", "-m", help="[default: the stack's first]", autocompletion=embedding_models),
    ] = None,
    form: Annotated[
        Format,
        typer.Option("--format", help="jsonl: an object a text; json: OpenAI's list; npy: float32 rows for NumPy."),
    ] = Format.JSONL,
) -> None:
    """Turn texts into vectors, in the order in which they are given."""
    if form is Format.NPY and is_terminal(sys.stdout):
        raise typer.BadParameter("npy is not for a terminal: `--format npy > vectors.npy` writes a file.")
    given = _texts(texts or [], file)
    name = server.embedding_model(model)
    status = StatusLine()
    vectors, tokens = [], 0
    try:
        for index, vector, used in _embedded(server, name, given, status):
            tokens += used
            if form is Format.JSONL:
                write(
                    json.dumps({"index": index, "text": given[index], "embedding": vector}, ensure_ascii=False) + "\n"
                )
            else:
                vectors.append(vector)
    finally:
        status.show("")
    if form is Format.JSON:
        write(json.dumps(_listed(vectors, name, tokens)) + "\n")
    elif form is Format.NPY:
        write_bytes(npy_bytes(vectors))
    server.detail(f"{len(given)} texts, {tokens} tokens, model {name}")


def _texts(texts: list[str], file: str | None) -> list[str]:
    """Raises InputError, and BadParameter where there is nothing, or more than one source."""
    if texts and file is not None:
        raise typer.BadParameter("Texts and --file exclude each other.")
    if texts and texts != [STANDARD_INPUT]:
        return texts
    source = file or STANDARD_INPUT
    text = read_text(source) if texts or file is not None else piped_text()
    if not text:
        raise typer.BadParameter("There is no text: give some, -f FILE, or lines through a pipe.")
    return lines_of(text, "standard input" if source == STANDARD_INPUT else source)


def _embedded(
    server: Server, model: str, texts: Sequence[str], status: StatusLine
) -> Iterator[tuple[int, list[float], int]]:
    """Index, vector, and the tokens of its batch beside the first of each. Raises ApiError."""
    for first in range(0, len(texts), BATCH):
        if len(texts) > BATCH:
            status.show(f"{first} of {len(texts)} texts")
        try:
            answer = server.api.embed(model, texts[first : first + BATCH])
        except ApiError as error:
            raise _naming_the_text(error, first) from error
        tokens = answer["usage"]["prompt_tokens"]
        for entry in sorted(answer["data"], key=lambda entry: int(entry["index"])):
            yield first + entry["index"], entry["embedding"], tokens
            tokens = 0


def _naming_the_text(error: ApiError, first: int) -> ApiError:
    """The server counts within a batch and from nought."""
    head, _, place = (error.param or "").partition(".")
    if head != "input" or not place.isdigit():
        return error
    error.args = (f"Text {first + int(place) + 1}: {error}",)
    return error


def _listed(vectors: list[list[float]], model: str, tokens: int) -> dict[str, Any]:
    data = [{"object": "embedding", "index": index, "embedding": vector} for index, vector in enumerate(vectors)]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": data, "model": model, "usage": usage}
