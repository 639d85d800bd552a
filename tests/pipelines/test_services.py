"""Programs that are kept running together: what dies is started again, the rest goes on, and nothing is left over."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from pipelines import services
from pipelines.services import Service, Services, end_left_over, record

WAITS = "import time; print('here', flush=True); time.sleep(600)"
DIES = "raise SystemExit(7)"
WITH_CHILD = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {WAITS!r}])"


class Kept:
    """Services of a test, and what is said of them."""

    def __init__(self, folder: Path, programs: dict[str, str]) -> None:
        self.said: list[str] = []
        self.noted: list[str] = []
        self.ready: list[str] = []
        self.each = {name: self._service(folder, name, program) for name, program in programs.items()}
        self.all = Services(
            list(self.each.values()),
            os.environ,
            folder,
            self.said.append,
            self.noted.append,
            lambda: record(folder / "services.json", list(self.each.values())),
        )

    def _service(self, folder: Path, name: str, program: str) -> Service:
        log = folder / f"{name}.log"
        answers = lambda: program == DIES or b"here" in log.read_bytes()  # noqa: E731
        return Service(name, (sys.executable, "-c", program), log, answers, "begins")

    def start(self) -> None:
        self.all.start(lambda service: self.ready.append(service.name))

    def until(self, happened: Callable[[], bool]) -> None:
        """Look after them until something has happened; the test's own time limit ends what never does."""
        while not happened():
            self.all.look()
            time.sleep(0.02)


@pytest.fixture
def keep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Kept]]:
    monkeypatch.setattr(services, "PAUSES", (0.0, 0.0, 0.0))
    made: list[Kept] = []

    def start(**programs: str) -> Kept:
        made.append(Kept(tmp_path, programs))
        made[-1].start()
        return made[-1]

    yield start
    for kept in made:
        kept.all.end()


def until_gone(processes: list[psutil.Process]) -> None:
    """What is killed is gone a moment later; the test's own time limit ends what never is."""
    while any(map(lives, processes)):
        time.sleep(0.02)


def lives(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def pid(service: Service) -> int:
    assert service.process is not None
    return service.process.pid


def test_what_is_killed_is_started_again_and_the_rest_goes_on(keep: Callable[..., Kept]) -> None:
    kept = keep(page=WAITS, daemon=WAITS)
    page, daemon = kept.each["page"], kept.each["daemon"]
    assert sorted(kept.ready) == ["daemon", "page"]
    first, other = pid(daemon), pid(page)
    os.kill(first, signal.SIGKILL)
    kept.until(lambda: daemon.process is not None and pid(daemon) != first)
    assert pid(page) == other
    (noted,) = kept.noted
    assert noted.startswith("daemon was ended by SIGKILL; it is started again (1 of 3)")
    assert noted in kept.said
    assert str(daemon.log) in noted
    kept.until(lambda: daemon.log.read_bytes().count(b"here") == 2)  # what it had printed before is still there


def test_what_dies_again_and_again_is_given_up(keep: Callable[..., Kept]) -> None:
    kept = keep(broken=DIES, page=WAITS)
    kept.until(lambda: kept.each["broken"].given_up)
    assert [noted.split(";")[0] for noted in kept.noted] == [
        *["broken ended with status 7"] * 3,
        "broken ended with status 7 and is given up after 3 new starts",
    ]
    assert kept.each["page"].process is not None
    assert kept.each["broken"].log.read_bytes().count(b"--- started") == 4


def test_a_service_is_started_once_what_it_needs_answers(tmp_path: Path) -> None:
    kept = Kept(tmp_path, {"page": WAITS, "code": WAITS})
    kept.each["page"].after = kept.each["code"]
    try:
        kept.start()
        assert kept.ready == ["code", "page"]
        assert kept.said == ["code: begins …", "page: begins …"]
    finally:
        kept.all.end()


def test_what_a_dead_service_leaves_is_ended_before_its_new_start(keep: Callable[..., Kept]) -> None:
    """The parent of a web server may be killed while its child goes on holding the port."""
    kept = keep(server=WITH_CHILD)
    server = kept.each["server"]
    (child,) = psutil.Process(pid(server)).children()
    os.kill(pid(server), signal.SIGKILL)
    kept.until(lambda: bool(kept.noted))
    until_gone([child])


def test_an_interrupt_ends_all(keep: Callable[..., Kept]) -> None:
    kept = keep(page=WAITS, server=WITH_CHILD)
    parents = [psutil.Process(pid(each)) for each in kept.each.values()]
    alive = [*parents, *(child for process in parents for child in process.children())]
    assert len(alive) == 3
    kept.all.end()
    until_gone(alive)


def test_what_a_killed_keeper_leaves_is_ended_by_the_next(tmp_path: Path) -> None:
    register = tmp_path / "services.json"
    assert end_left_over(register) == []
    left = [subprocess.Popen([sys.executable, "-c", WAITS], start_new_session=True) for _ in range(2)]
    try:
        found = [Service(name, (), tmp_path, bool, "", process=each) for name, each in zip("ab", left, strict=True)]
        record(register, found)
        assert end_left_over(register) == [], "its keeper, this process, is alive"
        written = json.loads(register.read_text(encoding="utf-8"))
        written["keeper"][1] -= 100  # somebody who is no more had this id
        written["services"]["b"]["process"][1] -= 100
        register.write_text(json.dumps(written), encoding="utf-8")
        assert end_left_over(register) == ["a"]
        assert left[0].wait() == -signal.SIGKILL
        assert left[1].poll() is None, "another process has its id now"
    finally:
        for process in left:
            process.kill()
            process.wait()
