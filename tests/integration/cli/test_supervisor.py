"""The supervisor with small real processes."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from cli.stack.errors import StackError, StopRequestedError
from cli.stack.process import ProcessSpec
from cli.stack.supervisor import Supervisor

SLEEP = "import time; time.sleep(60)"


class Bench:
    """A supervisor, what it said, and its watching thread's place: the test's own thread."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.stopping = threading.Event()
        self.said: list[str] = []
        self.changes = 0
        self.supervisor = Supervisor(self.said.append, self._changed, self.stopping, hung_after_s=0.2)

    def _changed(self) -> None:
        self.changes += 1

    def spec(self, name: str, code: str, **fields: object) -> ProcessSpec:
        options: dict[str, object] = {"role": "worker", "is_ready": lambda: True, "stop_timeout_s": 5, **fields}
        return ProcessSpec(
            name=name,
            command=(sys.executable, "-c", code),
            environment=dict(os.environ),
            log=self.folder / f"{name}.log",
            **options,  # type: ignore[arg-type]
        )

    def watch_until(self, is_true: Callable[[], bool], timeout_s: float = 20) -> None:
        """Watch in this thread (children are tied to it) until something is true."""
        end = time.monotonic() + timeout_s

        def stop_when_true() -> None:
            while not is_true() and time.monotonic() < end:
                time.sleep(0.02)
            self.stopping.set()

        threading.Thread(target=stop_when_true, daemon=True).start()
        self.supervisor.watch()
        assert is_true()
        self.stopping.clear()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.supervisor.stop(is_hurried=lambda: True)


def test_a_killed_process_is_started_again_with_a_new_pid(bench: Bench) -> None:
    bench.supervisor.start([bench.spec("one", SLEEP), bench.spec("two", SLEEP)])
    one, two = (child.pid for child in bench.supervisor.children)

    os.kill(one, signal.SIGKILL)
    bench.watch_until(lambda: bench.supervisor.children[0].pid != one)

    assert bench.supervisor.children[0].exit_code() is None
    assert bench.supervisor.children[1].pid == two
    assert bench.changes == 2
    assert any("one died (signal 9)" in line for line in bench.said)


def test_a_process_that_hangs_is_killed_and_started_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.stack.liveness.Liveness.__init__.__defaults__", (0.05,))
    is_well = threading.Event()
    is_well.set()
    bench.supervisor.start([bench.spec("one", SLEEP, is_alive=is_well.is_set)])
    bench.watch_until(lambda: bench.supervisor.children[0].age_s > 0.3)
    first = bench.supervisor.children[0].pid

    is_well.clear()
    bench.watch_until(lambda: bench.supervisor.children[0].pid != first)

    assert any("one has not been well for 0.2 s" in line for line in bench.said)
    assert not psutil.pid_exists(first)


def test_a_process_that_is_still_starting_is_not_taken_for_a_hung_one(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cli.stack.liveness.Liveness.__init__.__defaults__", (0.05,))
    bench.supervisor.start([bench.spec("slow", SLEEP, is_alive=lambda: False, start_timeout_s=60)])
    first = bench.supervisor.children[0].pid

    bench.watch_until(lambda: bench.supervisor.children[0].age_s > 1)

    assert bench.supervisor.children[0].pid == first


def test_a_process_that_dies_again_and_again_is_given_up_and_the_stack_with_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cli.stack.restarts._DELAYS_S", (0.0, 0.05))
    bench.supervisor.start([bench.spec("one", "import time; time.sleep(0.2)")])

    with pytest.raises(StackError, match="No worker can be kept running"):
        bench.supervisor.watch()

    assert "given up" in bench.said[-1]


def test_the_others_go_on_when_one_of_a_role_is_given_up(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.stack.restarts._DELAYS_S", (0.0,))
    bench.supervisor.start([bench.spec("good", SLEEP), bench.spec("bad", "import time; time.sleep(0.2)")])

    bench.watch_until(lambda: "given up" in bench.said[-1])

    assert bench.supervisor.children[0].exit_code() is None


def test_a_process_that_ends_before_it_is_ready_is_an_error_with_its_last_words(bench: Bench) -> None:
    spec = bench.spec("one", "print('no such file'); raise SystemExit(3)", is_ready=lambda: False)

    with pytest.raises(StackError, match=r"(?s)one ended at once \(exit status 3\).*no such file"):
        bench.supervisor.start([spec])


def test_a_process_that_is_not_ready_in_time_is_an_error(bench: Bench) -> None:
    with pytest.raises(StackError, match="not ready within"):
        bench.supervisor.start([bench.spec("one", SLEEP, is_ready=lambda: False, start_timeout_s=0.2)])


def test_a_wish_to_stop_ends_the_waiting(bench: Bench) -> None:
    threading.Timer(0.2, bench.stopping.set).start()

    with pytest.raises(StopRequestedError):
        bench.supervisor.start([bench.spec("one", SLEEP, is_ready=lambda: False)])


def test_stop_is_graceful_and_begins_with_the_workers(bench: Bench, tmp_path: Path) -> None:
    ended = tmp_path / "ended"
    code = (
        "import signal, sys, time\n"
        "def end(*_):\n    time.sleep(0.3); open({ended!r}, 'a').write({name!r} + '\\n'); sys.exit()\n"
        "signal.signal(signal.SIGTERM, end); open({ready!r}, 'w').close(); time.sleep(60)"
    )

    def spec(name: str, role: str) -> ProcessSpec:
        ready = tmp_path / f"{name}.ready"
        script = code.format(ended=str(ended), name=name, ready=str(ready))
        return bench.spec(name, script, role=role, is_ready=ready.exists)

    bench.supervisor.start([spec("the-redis", "redis"), spec("the-gateway", "gateway"), spec("the-worker", "worker")])

    bench.supervisor.stop()

    assert ended.read_text().split() == ["the-worker", "the-gateway", "the-redis"]


def test_a_process_that_does_not_stop_in_time_is_killed(bench: Bench, tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    code = f"import signal, time; signal.signal(15, signal.SIG_IGN); open({str(ready)!r}, 'w').close(); time.sleep(60)"
    bench.supervisor.start([bench.spec("deaf", code, is_ready=ready.exists, stop_timeout_s=0.3)])
    pid = bench.supervisor.children[0].pid

    bench.supervisor.stop()

    assert not psutil.pid_exists(pid)
    assert any("deaf did not stop in time" in line for line in bench.said)


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's death signal is Linux' own")
def test_a_process_dies_with_a_supervisor_that_is_killed(bench: Bench, tmp_path: Path) -> None:
    note = tmp_path / "grandchild"
    supervising = (
        "import os, sys, threading, time; from pathlib import Path\n"
        "from cli.stack.process import Child, ProcessSpec\n"
        f"spec = ProcessSpec(name='x', role='worker', command=(sys.executable, '-c', {SLEEP!r}), "
        f"environment=os.environ,"
        f" log=Path({str(tmp_path)!r}) / 'x.log', is_ready=lambda: True)\n"
        f"child = Child(spec); Path({str(note)!r}).write_text(str(child.pid)); time.sleep(60)"
    )
    bench.supervisor.start([bench.spec("supervisor", supervising, is_ready=lambda: note.exists() and note.read_text())])
    grandchild = psutil.Process(int(note.read_text()))

    os.kill(bench.supervisor.children[0].pid, signal.SIGKILL)

    bench.watch_until(lambda: not grandchild.is_running() or grandchild.status() == psutil.STATUS_ZOMBIE)
