"""The part of a page that a program writes: what stands between two marks of a name."""

from pathlib import Path


def with_section(page: str, name: str, content: str) -> str:
    """The page with this content between the marks of that name. Raises ValueError if it has none."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    before, is_begun, rest = page.partition(begin)
    _, is_ended, after = rest.partition(end)
    if not (is_begun and is_ended):
        raise ValueError(f"The page lacks the marks {begin} and {end}.")
    return f"{before}{begin}\n{content}\n{end}{after}"


def write_section(path: Path, name: str, content: str) -> None:
    """The same in a file. Raises ValueError."""
    path.write_text(with_section(path.read_text(encoding="utf-8"), name, content), encoding="utf-8")
