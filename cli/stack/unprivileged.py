"""Postgres refuses to run as root: which user it runs as then, and how that user gets to its files."""

import os
import pwd
import stat
from pathlib import Path

from cli.stack.errors import StackError

_CANDIDATES = ("postgres", "pgserver", "nobody")


def unprivileged_user(data_dir: Path) -> str | None:
    """Who runs Postgres: None (we ourselves) unless we are root, else the owner of the files or a user that exists.

    Raises StackError when the machine has none.
    """
    if os.geteuid() != 0:
        return None
    if data_dir.exists() and (owner := data_dir.stat().st_uid) != 0:
        return pwd.getpwuid(owner).pw_name
    names = {entry.pw_name for entry in pwd.getpwall()}
    for candidate in _CANDIDATES:
        if candidate in names:
            return candidate
    raise StackError("Postgres does not run as root and there is no user `nobody`: run Drover as an ordinary user.")


def let_in(user: str, path: Path, *, owns: bool = False) -> list[Path]:
    """Let `user` pass through the folders above `path` (o+x: pass, not list), and read or own `path` itself.

    Needs root. Returns the folders that it opened; those that everyone may pass are left as they are.
    """
    folders = [*path.resolve().parents]
    if owns:
        entry = pwd.getpwnam(user)
        os.chown(path, entry.pw_uid, entry.pw_gid)
    else:
        folders.append(path)
    return [folder for folder in folders if _let_pass(folder)]


def _let_pass(folder: Path) -> bool:
    mode = stat.S_IMODE(folder.stat().st_mode)
    if mode & stat.S_IXOTH:
        return False
    folder.chmod(mode | stat.S_IXOTH)
    return True
