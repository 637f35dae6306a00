"""`drover models`: the models that this installation can serve, listed, fetched, added and removed."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.table import Table

from cli.holders import holders_of_models
from cli.model_store.choice import HubFile, choose, in_words, listed
from cli.model_store.entry import Origin, Wishes, has_template, name_of
from cli.model_store.gguf_header import GgufHeader, read_header
from cli.model_store.store import ModelStore
from cli.options import DEFAULT_STATE_DIR, StateDirOption
from cli.progress import progress_bar
from cli.settings import CliSettings
from cli.terminal import console, errors, errors_as_sentences, fail, say
from shared.catalogue import ModelEntry

if TYPE_CHECKING:
    from cli.model_store.download import Download

_INTERRUPTED = 130
"""What a shell expects of a program that Ctrl-C ended."""

app = typer.Typer(no_args_is_help=True, help="List, fetch, add and remove models.")

NameOption = Annotated[str, typer.Option("--name", help="What requests call the model.  [default: the file's name]")]
KindOption = Annotated[
    Literal["chat", "embedding"] | None, typer.Option("--kind", help="[default: as the file's architecture says]")
]
ContextOption = Annotated[
    int, typer.Option("--context", min=0, help="Tokens of one sequence.  [default: the model's own, 4096 at most]")
]
TemplateOption = Annotated[str, typer.Option("--template", help="A named chat template.  [default: the file's own]")]
BaseOption = Annotated[str, typer.Option("--base", help="The model that a LoRA adapter sits on.")]


@app.command("list")
def list_models(
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    state_dir: StateDirOption = DEFAULT_STATE_DIR,
) -> None:
    """List the models of models.toml, and which workers hold them if a stack is up."""
    with errors_as_sentences():
        store = _store()
        models = [(entry, store.path_of(entry)) for entry in store.entries()]
        holders = holders_of_models(state_dir)
    sizes = {entry.name: _size_bytes(path) for entry, path in models}
    if as_json:
        lines = [
            {**entry.model_dump(), "size_bytes": sizes[entry.name], "held_by": holders.get(entry.name, [])}
            for entry, _ in models
        ]
        typer.echo(json.dumps(lines, indent=2))
        return
    table = Table("name", "kind", "size", "context", "sha256", "held by", box=None, pad_edge=False)
    for entry, _ in models:
        size = sizes[entry.name]
        words = "missing" if size is None else in_words(size)
        held = ", ".join(holders.get(entry.name, []))
        table.add_row(entry.name, entry.kind, words, str(entry.context_length), entry.sha256[:12], held)
    console.print(table)


@app.command()
def pull(
    source: Annotated[str, typer.Argument(metavar="REPO[:FILE]", help="Such as owner/name or owner/name:Q8_0.")],
    name: NameOption = "",
    kind: KindOption = None,
    context: ContextOption = 0,
    template: TemplateOption = "",
    base: BaseOption = "",
    revision: Annotated[str, typer.Option("--revision", help="Branch, tag or commit.  [default: the newest]")] = "",
) -> None:
    """Fetch a GGUF from the Hugging Face hub (HF_TOKEN and HF_ENDPOINT count) and make a model of it."""
    from cli.model_store.download import Download
    from cli.model_store.hub import fetch, list_files  # a second to load, and only this command needs it

    repo, _, wanted = source.partition(":")
    wishes = Wishes(name, kind, context, template, base)
    with errors_as_sentences():
        store = _store()
        files = list_files(repo, revision)
        file = choose(files, repo, wanted)
        model_name = name_of(wishes, Path(file.name))
        store.require_possible(model_name, wishes)
        _say_choice(files, file, is_default=not wanted)
        download = Download(file, store.folder, fetch)
        sha256 = _have(download)
        header = read_header(download.target)
        origin = Origin(owner=repo.partition("/")[0], words=f", {file.path} of {repo} at {file.commit[:12]}")
        _say_added(store.register(model_name, download.target, sha256, header, wishes, origin), header)


@app.command()
def add(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A GGUF file.")],
    name: NameOption = "",
    kind: KindOption = None,
    context: ContextOption = 0,
    template: TemplateOption = "",
    base: BaseOption = "",
    is_linked: Annotated[bool, typer.Option("--link", help="A hard link instead of a copy; on one disk only.")] = False,
) -> None:
    """Make a model of a file that you have: it is copied into the models folder."""
    with errors_as_sentences():
        with progress_bar("taking the file in", _size_bytes(file) or 0) as bar:
            entry = _store().add(file, Wishes(name, kind, context, template, base), bar, is_linked=is_linked)
        _say_added(entry, read_header(file))


@app.command()
def remove(
    name: Annotated[str, typer.Argument(help="A model of models.toml.")],
    keeps_file: Annotated[bool, typer.Option("--keep-file", help="Only take it out of models.toml.")] = False,
    is_sure: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Take a model out of models.toml and delete its file."""
    with errors_as_sentences():
        store = _store()
        entry = next((entry for entry in store.entries() if entry.name == name), None)
        if entry is None:
            raise fail(f"models.toml has no model '{name}': `drover models list` shows what it has.")
        if not is_sure:
            _ask(f"Remove {name}" + ("?" if keeps_file else f" and delete {entry.file}?"))
        deleted = store.remove(entry, keeps_file=keeps_file)
    say(f"{name} is removed" + (f", {deleted} is deleted" if deleted else ", its file is kept"))


def _store() -> ModelStore:
    return ModelStore(CliSettings.load().models_folder)


def _size_bytes(path: Path) -> int | None:
    """None where there is no file, or none that this user may look at."""
    try:
        return path.stat().st_size if path.is_file() else None
    except OSError:
        return None


def _have(download: "Download") -> str:
    """The sha256 of the file, fetched if the folder lacks it; Ctrl-C keeps what has come."""
    size, path = download.file.size_bytes, download.file.path
    with progress_bar("comparing the file that is there", size) as bar:
        sha256 = download.find(bar)
    if sha256:
        say(f"{download.target} is there already")
        return sha256
    had = download.had_bytes
    say(f"{path}, {in_words(size)}" + (f", going on at {in_words(had)}" if had else ""))
    try:
        with progress_bar("fetching", size) as bar:
            download.run(bar)
    except KeyboardInterrupt:
        errors.print(f"Stopped at {in_words(download.had_bytes)} of {in_words(size)}; the same command goes on there.")
        raise typer.Exit(_INTERRUPTED) from None
    with progress_bar("comparing the digest", size) as bar:
        return download.finish(bar)


def _say_choice(files: list[HubFile], chosen: HubFile, *, is_default: bool) -> None:
    ggufs = [file for file in files if file.path.lower().endswith(".gguf")]
    if is_default and len(ggufs) > 1:
        say(f"{chosen.repo} has {len(ggufs)} GGUF files; {chosen.repo}:FILE takes another one than {chosen.path}:")
        console.print(listed(ggufs))


def _say_added(entry: ModelEntry, header: GgufHeader) -> None:
    if entry.base:
        say(f"{entry.name} is a chat model now, an adapter on {entry.base}")
        return
    kind = "an embedding" if entry.kind == "embedding" else "a chat"
    say(f"{entry.name} is {kind} model now, with a context of {entry.context_length} tokens")
    if entry.kind == "chat" and not (entry.template or has_template(header)):
        say("its file has no chat template, so it gets chatml's: --template names another")


def _ask(question: str) -> None:
    """Ends the command unless the answer is yes."""
    if not (sys.stdin and sys.stdin.isatty()):
        raise fail("Nobody is there to ask: give --yes.")
    if not typer.confirm(question):
        raise typer.Exit(1)
