from pathlib import Path

import pytest

from scripts.marked_section import write_section

PAGE = "before\n<!-- figures: begin -->\nold\n<!-- figures: end -->\nafter\n"


def test_only_what_stands_between_the_marks_changes(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE)

    write_section(page, "figures", "new\nlines")

    assert page.read_text() == PAGE.replace("old", "new\nlines")


@pytest.mark.parametrize("lost", ["<!-- figures: begin -->", "<!-- figures: end -->"])
def test_a_page_without_the_marks_is_left_alone(tmp_path: Path, lost: str) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE.replace(lost, ""))

    with pytest.raises(ValueError, match="figures"):
        write_section(page, "figures", "new")
    assert lost not in page.read_text()
    assert "old" in page.read_text()
