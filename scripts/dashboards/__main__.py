"""`python -m scripts.dashboards`: writes the files."""

from scripts.dashboards.files import FOLDER, pages

FOLDER.mkdir(parents=True, exist_ok=True)
for path, text in pages().items():
    path.write_text(text, encoding="utf-8")
