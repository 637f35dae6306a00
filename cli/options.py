"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

StateDirOption = Annotated[Path, typer.Option("--state-dir", help="Where the stack keeps its data, keys and logs.")]
DEFAULT_STATE_DIR = Path(".drover")
