"""What the documents say about settings is what the settings are."""

from pathlib import Path

import pytest

from scripts.configuration import SECTIONS, fields_of, pages
from shared.settings import Settings


@pytest.mark.parametrize("path", list(pages()), ids=lambda path: path.name)
def test_the_documents_name_every_setting_with_its_present_default(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == pages()[path], "run `make configuration`"


@pytest.mark.parametrize("settings", [settings for _, _, settings in SECTIONS], ids=lambda kind: kind.__name__)
def test_every_setting_says_what_it_is_for(settings: type[Settings]) -> None:
    assert [name for name, field in fields_of(settings) if not field.description] == []
