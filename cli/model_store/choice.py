"""Which of a repository's GGUF files is meant."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from cli.model_store.errors import ModelStoreError

PREFERRED = ("Q4_K_M", "Q4_K_S", "Q5_K_M", "Q4_0", "Q8_0", "F16", "BF16")
"""Without a word from the person: four bits a weight are the usual trade between size and sense."""

_PART = re.compile(r"-(\d{5})-of-(\d{5})\.gguf$", re.IGNORECASE)


@dataclass(frozen=True)
class HubFile:
    """A file of a repository at one commit. `sha256` is '' for a small file that the hub keeps in git itself."""

    repo: str
    path: str
    size_bytes: int
    commit: str
    sha256: str = ""
    git_id: str = ""

    @property
    def name(self) -> str:
        return PurePosixPath(self.path).name

    @property
    def digest(self) -> str:
        """Whichever digest the hub gives."""
        return self.sha256 or self.git_id


def choose(files: Sequence[HubFile], repo: str, wanted: str) -> HubFile:
    """The file called `wanted`, or whose name has that word (such as Q8_0); '' lets Drover choose.

    Raises ModelStoreError that lists the files when none or more than one is meant.
    """
    ggufs = [file for file in files if file.path.lower().endswith(".gguf")]
    if not ggufs:
        raise ModelStoreError(
            f"{repo} has no GGUF file: look for a repository of the same model with GGUF in its name."
        )
    whole = [file for file in ggufs if not _PART.search(file.name) and not file.name.lower().startswith("mmproj")]
    found = _named(ggufs, wanted) if wanted else _preferred(whole)
    if len(found) == 1 or (found and all(_PART.search(file.name) for file in found)):
        if part := _PART.search(found[0].name):
            raise ModelStoreError(
                f"{found[0].path} is one of {int(part[2])} parts, and Drover serves models of one file: choose "
                "another, or join the parts with `llama-gguf-split --merge` and `drover models add` the result."
            )
        return found[0]
    told = f"{len(found)} files of {repo} are called" if found else f"No file of {repo} is called"
    first = f"{told} '{wanted}'" if wanted else f"{repo} has {len(ggufs)} GGUF files"
    example = (whole or ggufs)[0].path
    raise ModelStoreError(f"{first}: name one, such as `drover models pull {repo}:{example}`.\n{listed(ggufs)}")


def listed(files: Sequence[HubFile]) -> str:
    """One line a file, with its size."""
    return "\n".join(f"  {in_words(file.size_bytes):>9}  {file.path}" for file in sorted(files, key=lambda f: f.path))


def in_words(size_bytes: int) -> str:
    """A size as people write it, in powers of 1000 as the hub's own pages have it."""
    size = float(size_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def _named(files: Sequence[HubFile], wanted: str) -> list[HubFile]:
    if exact := [file for file in files if file.path == wanted]:
        return exact
    word = wanted.upper()
    if same := [file for file in files if file.name.upper() == word]:
        return same
    return [file for file in files if _has_word(file.name, word)]


def _has_word(name: str, word: str) -> bool:
    """Whether `word` stands in the name with no letter or digit beside it, so that Q4_K is not in Q4_K_M."""
    return re.search(rf"(?<![A-Z0-9_]){re.escape(word)}(?![A-Z0-9_])", name.upper()) is not None


def _preferred(files: Sequence[HubFile]) -> list[HubFile]:
    if len(files) == 1:
        return list(files)
    for word in PREFERRED:
        found = [file for file in files if _has_word(file.name, word)]
        if len(found) == 1:
            return found
    return []
