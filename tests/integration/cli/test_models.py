"""`drover models` with real files; the hub is a stand-in that speaks HTTP."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.main import app
from shared.catalogue import Catalogue
from tests.fakes.hub import Hub, running_hub
from tests.fakes.random_bert_gguf import write_random_bert_gguf
from tests.fakes.random_gguf import Shape, write_random_gguf
from tests.fakes.random_lora import write_random_lora

ROOT = Path(__file__).parents[3]
REPO = "somebody/Small-Model-GGUF"
NOBODY = "http://127.0.0.1:9"
"""Where no hub answers."""
PIECE_BYTES = 10 * 1024 * 1024
"""The library writes pieces of this size, and loses the piece that was under way when the connection broke."""


@pytest.fixture(scope="module")
def gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_random_gguf(tmp_path_factory.mktemp("source") / "Small-Model.Q4_K_M.gguf", Shape(context_length=8192))


@pytest.fixture(scope="module")
def large_gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Larger than the pieces of 10 MiB in which the library writes."""
    shape = Shape(width=512, heads=8, hidden=4096)
    return write_random_gguf(tmp_path_factory.mktemp("source") / "large.gguf", shape)


@pytest.fixture
def hub(gguf: Path) -> Iterator[Hub]:
    with running_hub(Hub(repos={REPO: {"README.md": b"# Small", gguf.name: gguf.read_bytes()}})) as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty models folder that has a comment to lose."""
    models = tmp_path / "models"
    models.mkdir()
    (models / "models.toml").write_text("# Mine, do not touch.\n\n[models.old]  # an old friend\n" + ENTRY)
    return models


ENTRY = 'file = "old.gguf"\nkind = "chat"\ncontext_length = 512'  # no line break at the end


def environment(folder: Path, endpoint: str = NOBODY, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "DROVER_"))}
    home = str(folder.parent / "hf")
    return {**kept, "DROVER_MODELS_DIR": str(folder), "HF_ENDPOINT": endpoint, "HF_HOME": home, **more}


def pull(folder: Path, *arguments: str, endpoint: str = NOBODY, **more: str) -> subprocess.CompletedProcess[str]:
    """In a process of its own: the hub's library reads its settings once, when it is imported."""
    return subprocess.run(
        [sys.executable, "-m", "cli.main", "models", "pull", *arguments],
        cwd=ROOT,
        env=environment(folder, endpoint, **more),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )


def drover(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Any other command of `drover models`, in this process."""
    done = CliRunner().invoke(app, ["models", *arguments], env=environment(folder))
    return subprocess.CompletedProcess(arguments, done.exit_code, done.stdout, done.stderr)


def entry(folder: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads((folder / "models.toml").read_text())["models"][name]
    return found


def is_one_sentence(done: subprocess.CompletedProcess[str], *words: str) -> None:
    assert done.returncode == 1, done.stdout + done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert all(word in done.stderr for word in words), done.stderr


def test_a_pulled_file_becomes_a_model_and_the_comments_stay(hub: Hub, folder: Path, gguf: Path) -> None:
    done = pull(folder, REPO, endpoint=hub.url)

    assert done.returncode == 0, done.stderr
    made = entry(folder, "small-model.q4_k_m")
    assert made["file"] == gguf.name
    assert made["sha256"] == hashlib.sha256(gguf.read_bytes()).hexdigest()
    assert (made["kind"], made["context_length"], made["owned_by"]) == ("chat", 4096, "somebody")
    assert (folder / gguf.name).read_bytes() == gguf.read_bytes()
    assert "# Mine, do not touch." in (folder / "models.toml").read_text()
    assert "# an old friend" in (folder / "models.toml").read_text()
    assert sorted(path.name for path in folder.iterdir()) == sorted([gguf.name, "models.toml"])


def test_options_go_before_what_the_file_says(hub: Hub, folder: Path) -> None:
    done = pull(folder, REPO, "--name", "mine", "--context", "8192", "--template", "alpaca", endpoint=hub.url)

    assert done.returncode == 0, done.stderr
    made = entry(folder, "mine")
    assert (made["context_length"], made["template"]) == (8192, "alpaca")


def test_the_token_goes_to_the_hub_and_not_to_the_server_that_it_sends_us_to(hub: Hub, folder: Path) -> None:
    assert pull(folder, REPO, endpoint=hub.url, HF_TOKEN="hf_secret").returncode == 0

    by_server = {"/cdn/" in asked.path: asked.authorization for asked in hub.asked}
    assert by_server == {False: "Bearer hf_secret", True: ""}


def test_a_connection_that_closes_early_is_taken_up_within_the_same_command(
    hub: Hub, folder: Path, large_gguf: Path
) -> None:
    hub.repos[REPO] = {large_gguf.name: large_gguf.read_bytes()}
    hub.cuts = [(PIECE_BYTES + 1000, "close")]

    done = pull(folder, REPO, endpoint=hub.url)

    assert done.returncode == 0, done.stderr
    assert [asked.range for asked in hub.gets()] == ["", f"bytes={PIECE_BYTES}-"]
    assert (folder / large_gguf.name).read_bytes() == large_gguf.read_bytes()


@pytest.mark.parametrize("ignores_ranges", [False, True])
def test_a_broken_download_goes_on_with_the_next_command(
    hub: Hub, folder: Path, large_gguf: Path, ignores_ranges: bool
) -> None:
    hub.repos[REPO] = {large_gguf.name: large_gguf.read_bytes()}
    hub.cuts = [(2 * PIECE_BYTES - 1000, "reset")]  # a reset loses what the kernel still has

    first = pull(folder, REPO, endpoint=hub.url)
    [partial] = folder.glob(".*.part")
    kept = partial.stat().st_size
    hub.ignores_ranges = ignores_ranges
    second = pull(folder, REPO, endpoint=hub.url)

    is_one_sentence(first, "the connection broke", "same command again")
    assert kept == PIECE_BYTES
    assert (second.returncode, "going on at" in second.stdout) == (0, True), second.stderr
    assert hub.gets()[-1].range == f"bytes={kept}-"
    assert (folder / large_gguf.name).read_bytes() == large_gguf.read_bytes()
    assert not list(folder.glob(".*.part"))


def test_a_file_with_another_digest_is_deleted(hub: Hub, folder: Path, gguf: Path) -> None:
    hub.served[gguf.name] = bytes(reversed(gguf.read_bytes()))

    done = pull(folder, REPO, endpoint=hub.url)

    is_one_sentence(done, "its digest differs", "deleted")
    assert [path.name for path in folder.iterdir()] == ["models.toml"]
    assert list(tomllib.loads((folder / "models.toml").read_text())["models"]) == ["old"]


def test_a_small_file_outside_the_large_file_store_is_compared_too(hub: Hub, folder: Path, gguf: Path) -> None:
    hub.is_lfs = False
    good = pull(folder, REPO, endpoint=hub.url)
    hub.served[gguf.name] = bytes(reversed(gguf.read_bytes()))
    (folder / gguf.name).unlink()
    bad = pull(folder, REPO, "--name", "other", endpoint=hub.url)

    assert good.returncode == 0, good.stderr
    assert entry(folder, "small-model.q4_k_m")["sha256"] == hashlib.sha256(gguf.read_bytes()).hexdigest()
    is_one_sentence(bad, "its digest differs")


def test_a_file_that_is_there_is_not_fetched_again(hub: Hub, folder: Path) -> None:
    assert pull(folder, REPO, endpoint=hub.url).returncode == 0
    fetched = len(hub.gets())

    again = pull(folder, REPO, endpoint=hub.url)
    other = pull(folder, REPO, "--name", "second", endpoint=hub.url)

    is_one_sentence(again, "has a model 'small-model.q4_k_m' already", "--name")
    assert (other.returncode, len(hub.gets())) == (0, fetched)
    assert entry(folder, "second")["sha256"] == entry(folder, "small-model.q4_k_m")["sha256"]


def test_another_file_of_that_name_is_left_alone(hub: Hub, folder: Path, gguf: Path) -> None:
    (folder / gguf.name).write_text("mine")

    done = pull(folder, REPO, endpoint=hub.url)

    is_one_sentence(done, "move it away")
    assert (folder / gguf.name).read_text() == "mine"


def test_of_several_files_the_usual_one_is_taken_and_the_others_are_shown(hub: Hub, folder: Path, gguf: Path) -> None:
    content = gguf.read_bytes()
    hub.repos[REPO] = {f"m.{kind}.gguf": content for kind in ("Q2_K", "Q4_K", "Q4_K_M", "Q8_0")}

    done = pull(folder, REPO, endpoint=hub.url)
    named = pull(folder, f"{REPO}:q8_0", endpoint=hub.url)

    assert done.returncode == named.returncode == 0
    assert "m.Q2_K.gguf" in done.stdout
    assert (folder / "m.Q4_K_M.gguf").exists()
    assert entry(folder, "m.q8_0")["file"] == "m.Q8_0.gguf"


def test_when_no_file_is_the_usual_one_the_person_must_choose(hub: Hub, folder: Path, gguf: Path) -> None:
    hub.repos[REPO] = {"a.gguf": gguf.read_bytes(), "b.gguf": gguf.read_bytes()}

    done = pull(folder, REPO, endpoint=hub.url)

    assert done.returncode == 1
    assert f"drover models pull {REPO}:a.gguf" in done.stderr
    assert "b.gguf" in done.stderr


@pytest.mark.parametrize(
    ("refusal", "refuses_listing", "words"),
    [
        ((404, "RepoNotFound"), True, ("no model repository", "HF_TOKEN")),
        ((401, ""), True, ("does not exist, or is private", "HF_TOKEN")),
        ((403, "GatedRepo"), False, ("gated", "accept its terms at", "HF_TOKEN")),
        ((401, "GatedRepo"), False, ("gated", "HF_TOKEN")),
        ((403, ""), False, ("refuses", "HF_TOKEN")),
        ((404, "EntryNotFound"), False, ("not in", "any more")),
        ((500, ""), False, ("answered 500", "later")),
    ],
)
def test_what_the_hub_refuses_is_one_sentence(
    hub: Hub, folder: Path, refusal: tuple[int, str], refuses_listing: bool, words: tuple[str, ...]
) -> None:
    hub.refusals[REPO], hub.refuses_listing = refusal, refuses_listing

    is_one_sentence(pull(folder, REPO, endpoint=hub.url), *words)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("nobody/nothing", "no model repository"),
        ("a/b/c", "no repository's name"),
        (f"{REPO}:Q9", "No file of"),
        ("somebody/empty", "no GGUF file"),
        ("somebody/parts", "one of 2 parts"),
    ],
)
def test_what_cannot_be_pulled_is_said_with_the_way_out(hub: Hub, folder: Path, source: str, words: str) -> None:
    hub.repos["somebody/empty"] = {"model.safetensors": b"x"}
    hub.repos["somebody/parts"] = {f"m-Q4_K_M-0000{part}-of-00002.gguf": b"x" for part in (1, 2)}

    done = pull(folder, f"{source}:Q4_K_M" if "parts" in source else source, endpoint=hub.url)

    assert done.returncode == 1
    assert words in done.stderr, done.stderr
    assert "Traceback" not in done.stderr


def test_an_unknown_revision_is_named(hub: Hub, folder: Path) -> None:
    is_one_sentence(pull(folder, REPO, "--revision", "v9", endpoint=hub.url), "no revision 'v9'")


def test_a_hub_that_is_away_is_one_sentence(folder: Path) -> None:
    is_one_sentence(pull(folder, REPO), "http://127.0.0.1:9", "HF_ENDPOINT")


def test_ctrl_c_keeps_what_has_come(hub: Hub, folder: Path, gguf: Path) -> None:
    hub.repos[REPO] = {gguf.name: gguf.read_bytes() * 400}
    hub.cuts = [(30_000_000, "hang")]
    command = [sys.executable, "-m", "cli.main", "models", "pull", REPO]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment(folder, hub.url),
        stderr=subprocess.PIPE,
        text=True,
        # A shell that runs the tests in the background has them ignore Ctrl-C, which every child would inherit.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        end = time.monotonic() + 30
        while not any(path.stat().st_size > 10_000_000 for path in folder.glob(".*.part")):
            assert time.monotonic() < end
            time.sleep(0.005)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)

    assert process.returncode == 130, said
    assert "the same command goes on there" in said
    assert "Traceback" not in said
    assert [path.stat().st_size > 10_000_000 for path in folder.glob(".*.part")] == [True]


@pytest.mark.parametrize("is_linked", [False, True])
def test_an_added_file_is_copied_or_linked(folder: Path, gguf: Path, is_linked: bool) -> None:
    done = drover(folder, "add", str(gguf), "--name", "mine", *(["--link"] if is_linked else []))

    assert done.returncode == 0, done.stderr
    assert (folder / gguf.name).samefile(gguf) == is_linked
    assert entry(folder, "mine")["sha256"] == hashlib.sha256(gguf.read_bytes()).hexdigest()
    assert Catalogue.load(folder).get("mine").context_length == 4096


def test_what_was_done_is_told_to_programs(hub: Hub, folder: Path, gguf: Path) -> None:
    added = json.loads(drover(folder, "add", str(gguf), "--name", "mine", "--json").stdout)
    removed = json.loads(drover(folder, "remove", "mine", "--yes", "--json").stdout)
    pulled = pull(folder, REPO, "--name", "theirs", "--json", endpoint=hub.url)

    assert (added["name"], added["context_length"]) == ("mine", 4096)
    assert (removed["name"], Path(removed["deleted_file"]).name) == ("mine", gguf.name)
    assert json.loads(pulled.stdout) == {**added, "name": "theirs", **entry(folder, "theirs")}
    assert gguf.name in pulled.stderr


def test_a_file_in_the_folder_itself_stays_where_it_is(folder: Path, gguf: Path) -> None:
    inside = folder / "deep" / "in.gguf"
    inside.parent.mkdir()
    inside.write_bytes(gguf.read_bytes())

    assert drover(folder, "add", str(inside)).returncode == 0

    assert entry(folder, "in")["file"] == "deep/in.gguf"


def test_an_embedding_model_is_known_by_its_architecture(folder: Path, tmp_path: Path) -> None:
    write_random_bert_gguf(tmp_path / "vectors.gguf")

    assert drover(folder, "add", str(tmp_path / "vectors.gguf")).returncode == 0

    assert (entry(folder, "vectors")["kind"], entry(folder, "vectors")["dimensions"]) == ("embedding", 32)


def test_the_same_file_under_another_name_is_not_copied(folder: Path, gguf: Path) -> None:
    assert drover(folder, "add", str(gguf), "--name", "one").returncode == 0
    assert drover(folder, "add", str(gguf), "--name", "two").returncode == 0

    assert entry(folder, "one")["file"] == entry(folder, "two")["file"]
    assert len(list(folder.glob("*.gguf"))) == 1


def test_an_adapter_is_added_on_its_base_which_then_stays(folder: Path, gguf: Path, tmp_path: Path) -> None:
    lora = write_random_lora(tmp_path / "lora.gguf")
    assert drover(folder, "add", str(gguf), "--name", "base").returncode == 0

    without = drover(folder, "add", str(lora))
    unknown = drover(folder, "add", str(lora), "--base", "ghost")
    wrong = drover(folder, "add", str(gguf), "--name", "x", "--base", "base")
    added = drover(folder, "add", str(lora), "--base", "base")
    removed_base = drover(folder, "remove", "base", "--yes")

    is_one_sentence(without, "is a LoRA adapter", "--base")
    is_one_sentence(unknown, "no chat model 'ghost'")
    is_one_sentence(wrong, "is no LoRA adapter")
    assert added.returncode == 0, added.stderr
    assert Catalogue.load(folder).get("lora").adapter is not None
    is_one_sentence(removed_base, "lora sits on base")
    assert drover(folder, "remove", "lora", "--yes").returncode == 0
    assert [path.name for path in folder.glob("*.gguf")] == [gguf.name]


def test_a_folder_without_a_catalogue_gets_one(tmp_path: Path, gguf: Path) -> None:
    assert drover(tmp_path / "new", "add", str(gguf), "--name", "mine").returncode == 0

    assert Catalogue.load(tmp_path / "new").get("mine").kind == "chat"


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"hello", "no GGUF file"), (b"GGUF\x03\x00\x00\x00", "breaks off"), (None, "cannot be read")],
)
def test_a_file_that_is_no_model_is_refused(folder: Path, tmp_path: Path, content: bytes | None, words: str) -> None:
    if content is not None:
        (tmp_path / "x.gguf").write_bytes(content)

    is_one_sentence(drover(folder, "add", str(tmp_path / "x.gguf")), words)


def test_a_file_that_was_cut_off_is_refused(folder: Path, tmp_path: Path, gguf: Path) -> None:
    (tmp_path / "x.gguf").write_bytes(gguf.read_bytes()[: gguf.stat().st_size // 2])

    is_one_sentence(drover(folder, "add", str(tmp_path / "x.gguf")), "cut off")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--name", "a b"], "cannot be a model's name"),
        (["--name", "old"], "has a model 'old' already"),
        (["--context", "9000"], "trained on 8192"),
        (["--template", "mine"], "no template 'mine'"),
    ],
)
def test_a_wish_that_cannot_be_met_leaves_everything_as_it_was(
    folder: Path, gguf: Path, options: list[str], words: str
) -> None:
    before = (folder / "models.toml").read_text()

    is_one_sentence(drover(folder, "add", str(gguf), *options), words)

    assert (folder / "models.toml").read_text() == before
    assert not (folder / gguf.name).exists()


def test_a_catalogue_that_is_not_valid_is_left_alone(folder: Path, gguf: Path) -> None:
    (folder / "models.toml").write_text("[models")

    done = drover(folder, "add", str(gguf))

    assert (done.returncode, "models.toml is not valid" in done.stderr) == (1, True)
    assert (folder / "models.toml").read_text() == "[models"


def test_a_catalogue_that_cannot_be_added_to_is_left_alone(folder: Path, gguf: Path) -> None:
    written = f"models = {{old = {{{ENTRY.replace(chr(10), ', ')}}}}}"
    (folder / "models.toml").write_text(written)

    done = drover(folder, "add", str(gguf), "--name", "new")

    is_one_sentence(done, "models.toml", "Inline tables")
    assert (folder / "models.toml").read_text() == written


def test_a_folder_of_the_files_name_is_left_alone(folder: Path, gguf: Path) -> None:
    (folder / gguf.name).mkdir()

    is_one_sentence(drover(folder, "add", str(gguf)), "Is a directory")


def test_two_commands_at_once_both_write_their_entry(folder: Path, gguf: Path) -> None:
    (folder / gguf.name).write_bytes(gguf.read_bytes())
    commands = [
        [sys.executable, "-m", "cli.main", "models", "add", str(folder / gguf.name), "--name", f"m{number}"]
        for number in range(4)
    ]
    running = [subprocess.Popen(command, cwd=ROOT, env=environment(folder)) for command in commands]

    assert [process.wait(timeout=60) for process in running] == [0] * 4
    assert {entry.name for entry in Catalogue.load(folder).all()} == {"old", "m0", "m1", "m2", "m3"}


def test_the_list_shows_every_model_and_which_file_is_missing(folder: Path, gguf: Path) -> None:
    assert drover(folder, "add", str(gguf), "--name", "mine").returncode == 0

    table = drover(folder, "list", "--state-dir", str(folder.parent / "no-stack"))
    found = json.loads(drover(folder, "list", "--json", "--state-dir", str(folder.parent / "no-stack")).stdout)

    assert "missing" in next(line for line in table.stdout.splitlines() if line.startswith("old"))
    assert [(model["name"], model["size_bytes"], model["held_by"]) for model in found] == [
        ("old", None, []),
        ("mine", gguf.stat().st_size, []),
    ]


def test_a_list_with_a_state_directory_that_cannot_be_used_is_one_sentence(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "state" / "lock").mkdir(parents=True)

    is_one_sentence(drover(folder, "list", "--state-dir", str(tmp_path / "state")), "choose another --state-dir")


def test_a_removed_model_takes_its_file_along_unless_another_has_it(folder: Path, gguf: Path) -> None:
    for name in ("one", "two"):
        assert drover(folder, "add", str(folder / gguf.name if name == "two" else gguf), "--name", name).returncode == 0

    first = drover(folder, "remove", "one", "--yes")
    is_there_after_first = (folder / gguf.name).exists()
    second = drover(folder, "remove", "two", "--yes")

    assert (first.returncode, second.returncode) == (0, 0)
    assert (is_there_after_first, (folder / gguf.name).exists()) == (True, False)
    assert [entry.name for entry in Catalogue.load(folder).all()] == ["old"]
    assert "# Mine, do not touch." in (folder / "models.toml").read_text()


def test_a_removed_model_can_leave_its_file(folder: Path, gguf: Path) -> None:
    assert drover(folder, "add", str(gguf), "--name", "mine").returncode == 0

    assert drover(folder, "remove", "mine", "--keep-file", "--yes").returncode == 0

    assert (folder / gguf.name).exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["ghost", "--yes"], "no model 'ghost'"), (["old"], "--yes"), (["drover-tiny", "--yes"], "belongs to Drover")],
)
def test_a_removal_that_is_refused_removes_nothing(folder: Path, arguments: list[str], words: str) -> None:
    with (folder / "models.toml").open("a") as catalogue:
        catalogue.write('\n[models.drover-tiny]\nfile = "t.gguf"\nkind = "chat"\ncontext_length = 512\n')
    before = (folder / "models.toml").read_text()

    is_one_sentence(drover(folder, "remove", *arguments), words)

    assert (folder / "models.toml").read_text() == before
