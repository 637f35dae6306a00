"""`drover models`: the models that this installation can serve, listed, fetched, added and removed."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.table import Table

from cli.exit_status import EPILOG, INTERRUPTED
from cli.holders import holders_of_models
from cli.model_store.choice import HubFile, choose, in_words, listed
from cli.model_store.entry import Origin, Wishes, has_template, name_of
from cli.model_store.gguf_header import GgufHeader, read_header
from cli.model_store.store import ModelStore
from cli.options import DEFAULT_STATE_DIR, StateDirOption
from cli.progress import progress_bar
from cli.server import Server, calls_server
from cli.settings import CliSettings
from cli.terminal import console, errors, errors_as_sentences, fail, is_terminal, printable, say, write
from shared.catalogue import ModelEntry

if TYPE_CHECKING:
    from cli.model_store.download import Download

app = typer.Typer(no_args_is_help=True, help="List, fetch, add and remove models.", epilog=EPILOG)

NameOption = Annotated[str, typer.Option("--name", help="What requests call the model.  [default: the file's name]")]
KindOption = Annotated[
    Literal["chat", "embedding"] | None, typer.Option("--kind", help="[default: as the file's architecture says]")
]
ContextOption = Annotated[
    int, typer.Option("--context", min=0, help="Tokens of one sequence.  [default: the model's own, 4096 at most]")
]
TemplateOption = Annotated[str, typer.Option("--template", help="A named chat template.  [default: the file's own]")]
BaseOption = Annotated[str, typer.Option("--base", help="The model that a LoRA adapter sits on.")]
JsonOption = Annotated[bool, typer.Option("--json", help="For programs.")]


@app.command("list")
def list_models(
    as_json: JsonOption = False,
    state_dir: StateDirOption = DEFAULT_STATE_DIR,
) -> None:
    """List the models of models.toml, and which workers hold them if a stack is up."""
    with errors_as_sentences():
        store = _store()
        models = [(entry, store.path_of(entry)) for entry in store.entries()]
        holders = holders_of_models(state_dir)
    sizes = {entry.name: _size_bytes(path) for entry, path in models}
    if as_json:
        _tell(
            [
                {**entry.model_dump(), "size_bytes": sizes[entry.name], "held_by": holders.get(entry.name, [])}
                for entry, _ in models
            ]
        )
        return
    table = Table("name", "kind", "size", "context", "sha256", "held by", box=None, pad_edge=False)
    for entry, _ in models:
        size = sizes[entry.name]
        words = "missing" if size is None else in_words(size)
        held = ", ".join(holders.get(entry.name, []))
        table.add_row(entry.name, entry.kind, words, str(entry.context_length), entry.sha256[:12], held)
    console.print(table)


@app.command()
@calls_server
def served(server: Server, as_json: JsonOption = False) -> None:
    """List the models that a server serves: the stack's, or whatever --url or DROVER_URL names."""
    models = server.api.models()
    if as_json:
        _tell(models)
        return
    table = Table("name", "kind", "context", "owner", "description", box=None, pad_edge=False)
    for model in models:
        words = [printable(str(model.get(field, ""))) for field in ("id", "kind", "context_length", "owned_by")]
        table.add_row(*words, printable(model.get("description") or ""))
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
    as_json: JsonOption = False,
) -> None:
    """Fetch a GGUF from the Hugging Face hub (HF_TOKEN and HF_ENDPOINT count) and make a model of it."""
    from cli.model_store.download import Download
    from cli.model_store.hub import fetch, list_files  # a second to load, and only this command needs it

    repo, _, wanted = source.partition(":")
    speak = _aside if as_json else say
    wishes = Wishes(name, kind, context, template, base)
    with errors_as_sentences():
        store = _store()
        files = list_files(repo, revision)
        file = choose(files, repo, wanted)
        model_name = name_of(wishes, Path(file.name))
        store.require_possible(model_name, wishes)
        _say_choice(files, file, speak, is_default=not wanted)
        download = Download(file, store.folder, fetch)
        sha256 = _have(download, speak)
        header = read_header(download.target)
        origin = Origin(owner=repo.partition("/")[0], words=f", {file.path} of {repo} at {file.commit[:12]}")
        _say_added(store.register(model_name, download.target, sha256, header, wishes, origin), header, as_json=as_json)


@app.command()
def add(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A GGUF file.")],
    name: NameOption = "",
    kind: KindOption = None,
    context: ContextOption = 0,
    template: TemplateOption = "",
    base: BaseOption = "",
    is_linked: Annotated[bool, typer.Option("--link", help="A hard link instead of a copy; on one disk only.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Make a model of a file that you have: it is copied into the models folder."""
    with errors_as_sentences():
        with progress_bar("taking the file in", _size_bytes(file) or 0) as bar:
            entry = _store().add(file, Wishes(name, kind, context, template, base), bar, is_linked=is_linked)
        _say_added(entry, read_header(file), as_json=as_json)


@app.command()
def remove(
    name: Annotated[str, typer.Argument(help="A model of models.toml.")],
    keeps_file: Annotated[bool, typer.Option("--keep-file", help="Only take it out of models.toml.")] = False,
    is_sure: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: JsonOption = False,
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
    if as_json:
        _tell({"name": name, "removed": True, "deleted_file": str(deleted) if deleted else None})
    else:
        say(f"{name} is removed" + (f", {deleted} is deleted" if deleted else ", its file is kept"))


def _tell(content: Any) -> None:
    write(json.dumps(content, ensure_ascii=False, indent=2) + "\n")


def _aside(line: str) -> None:
    """Where standard output is for a program."""
    errors.print(f"  {line}")


def _store() -> ModelStore:
    return ModelStore(CliSettings.load().models_folder)


def _size_bytes(path: Path) -> int | None:
    """None where there is no file, or none that this user may look at."""
    try:
        return path.stat().st_size if path.is_file() else None
    except OSError:
        return None


def _have(download: "Download", speak: Callable[[str], None]) -> str:
    """The sha256 of the file, fetched if the folder lacks it; Ctrl-C keeps what has come."""
    size, path = download.file.size_bytes, download.file.path
    with progress_bar("comparing the file that is there", size) as bar:
        sha256 = download.find(bar)
    if sha256:
        speak(f"{download.target} is there already")
        return sha256
    had = download.had_bytes
    speak(f"{path}, {in_words(size)}" + (f", going on at {in_words(had)}" if had else ""))
    try:
        with progress_bar("fetching", size) as bar:
            download.run(bar)
    except KeyboardInterrupt:
        errors.print(f"Stopped at {in_words(download.had_bytes)} of {in_words(size)}; the same command goes on there.")
        raise typer.Exit(INTERRUPTED) from None
    with progress_bar("comparing the digest", size) as bar:
        return download.finish(bar)


def _say_choice(files: list[HubFile], chosen: HubFile, speak: Callable[[str], None], *, is_default: bool) -> None:
    ggufs = [file for file in files if file.path.lower().endswith(".gguf")]
    if is_default and len(ggufs) > 1:
        speak(f"{chosen.repo} has {len(ggufs)} GGUF files; {chosen.repo}:FILE takes another one than {chosen.path}:")
        speak(listed(ggufs).strip())


def _say_added(entry: ModelEntry, header: GgufHeader, *, as_json: bool) -> None:
    if as_json:
        _tell(entry.model_dump())
        return
    if entry.base:
        say(f"{entry.name} is a chat model now, an adapter on {entry.base}")
        return
    kind = "an embedding" if entry.kind == "embedding" else "a chat"
    say(f"{entry.name} is {kind} model now, with a context of {entry.context_length} tokens")
    if entry.kind == "chat" and not (entry.template or has_template(header)):
        say("its file has no chat template, so it gets chatml's: --template names another")


def _ask(question: str) -> None:
    """Ends the command unless the answer is yes."""
    if not is_terminal(sys.stdin):
        raise fail("Nobody is there to ask: give --yes.")
    if not typer.confirm(question):
        raise typer.Exit(1)
