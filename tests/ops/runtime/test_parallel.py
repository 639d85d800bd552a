from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from ops.config import Aesthetics, Curation, TechnicalQuality
from ops.runtime import memory, parallel
from ops.runtime.memory import machine_gib
from ops.runtime.parallel import Failure, Resources
from ops.runtime.progress import Progress
from ops.runtime.project import Project

pytestmark = pytest.mark.costly


def settings(**changes) -> Curation:
    return Curation(
        aesthetics=Aesthetics(scorer="colourfulness"),
        technical_quality=TechnicalQuality(scorer="niqe"),
        rules=(),
        **changes,
    )


def test_results_come_with_their_items(project: Project) -> None:
    progress = Progress.of(project, "test", 5, "items")
    results = dict(parallel.map(str, [1, 2, 3, 4, 5], settings(workers=2), progress))
    assert results == {number: str(number) for number in range(1, 6)}
    assert '"done": 5' in (project.var / "progress" / "test.json").read_text()


def test_no_items_start_no_process() -> None:
    assert list(parallel.map(str, [], settings())) == []


def test_an_error_fails_its_own_item_only() -> None:
    results = dict(parallel.map(int, ["1", "x", "3"], settings(workers=2)))
    assert (results["1"], results["3"]) == (1, 3)
    assert isinstance(results["x"], Failure)
    assert "ValueError: invalid literal" in results["x"].reason
    assert results["x"].trace.startswith("Traceback (most recent call last)")
    assert results["x"].trace.rstrip().endswith(results["x"].reason)


def test_whoever_listens_hears_of_each_try_before_it_begins() -> None:
    heard: list[str] = []
    results = parallel.map(int, ["1", "x", "3"], settings(workers=1), None, heard.append)
    for item, _ in results:
        assert item in heard
    assert heard == ["1", "x", "3"]
    heard.clear()
    tries = dict(parallel.map(signal.raise_signal, [signal.SIGKILL], settings(workers=1), None, heard.append))  # type: ignore[arg-type]
    assert heard == [signal.SIGKILL] * 2
    assert isinstance(tries[signal.SIGKILL], Failure)


def test_a_dying_worker_costs_its_own_item_only() -> None:
    results = dict(parallel.map(signal.raise_signal, [0, signal.SIGKILL], settings(workers=2)))
    assert isinstance(results[signal.SIGKILL], Failure)
    assert "died twice" in results[signal.SIGKILL].reason
    assert results[signal.SIGKILL].code == "crashed"
    assert set(results) == {0, signal.SIGKILL}


def test_an_item_past_its_time_is_killed_and_costs_no_other(tmp_path: Path) -> None:
    """Two that would sleep for minutes among many that are quick; their workers are replaced."""
    items = [60.0, 0.0, 0.01, 61.0, 0.02, 0.03]
    results = dict(parallel.map(time.sleep, items, settings(workers=2, time_limit_seconds=1.0)))
    assert _workers_of(os.getpid()) == []
    slow = {item: result for item, result in results.items() if isinstance(result, Failure)}
    assert set(slow) == {60.0, 61.0}
    assert {result.code for result in slow.values()} == {"too_slow"}
    assert {result.reason for result in slow.values()} == {"not done after 1 s (curation.time_limit_seconds); stopped"}
    assert set(results) == set(items)
    assert _workers_of(os.getpid()) == []


def test_work_in_c_that_holds_the_interpreter_is_killed_too() -> None:
    """No signal handler and no thread of the worker's own could end this power of ten."""
    results = list(parallel.map(eval, ["1 + 1", "10 ** (10 ** 9)"], settings(workers=1, time_limit_seconds=1.0)))
    assert results[0] == ("1 + 1", 2)
    assert isinstance(results[1][1], Failure)
    assert results[1][1].code == "too_slow"


def test_an_item_that_wants_too_much_memory_fails_alone() -> None:
    results = dict(parallel.map(bytes, [10, 4 * 2**30], settings(workers=1, memory_limit_gib=1.0)))
    assert results[10] == bytes(10)
    reason = "needs more memory than it may have (curation.memory_limit_gib): MemoryError"
    assert results[4 * 2**30] == Failure(reason, "out_of_memory")


def test_a_result_that_cannot_be_sent_is_a_failure() -> None:
    results = dict(parallel.map(memoryview, [b"a"], settings(workers=1)))
    assert "its result cannot be sent: TypeError" in results[b"a"].reason


class _EndsItsReader:
    """Whoever unpickles this ends with code 3."""

    def __reduce__(self) -> tuple[object, tuple[int]]:
        return os._exit, (3,)

    def __call__(self, item: int) -> int:
        return item


def test_a_function_that_no_worker_can_load_is_an_error_of_the_step() -> None:
    with pytest.raises(RuntimeError, match="a worker process ended with code 3 before it had any work"):
        list(parallel.map(_EndsItsReader(), [1, 2], settings(workers=2)))


def test_a_worker_is_replaced_after_its_share() -> None:
    items = [f"({number}, __import__('os').getpid())[1]" for number in range(130)]
    pids = {pid for _, pid in parallel.map(eval, items, settings(workers=1))}
    assert len(pids) == 3


def test_workers_end_with_the_process_that_started_them(tmp_path: Path) -> None:
    code = (
        "import os, time; from ops.config import *; from ops.runtime import parallel\n"
        "rules = {'aesthetics': {'scorer': 'colourfulness'},"
        " 'technical_quality': {'scorer': 'niqe'}, 'rules': [], 'workers': 1}\n"
        "if __name__ == '__main__': list(parallel.map(time.sleep, [0.0, 60.0], Curation(**rules)))"
    )
    script = tmp_path / "owner.py"
    script.write_text(code)
    owner = subprocess.Popen([sys.executable, str(script)])
    deadline = time.monotonic() + 30
    while not (workers := _workers_of(owner.pid)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert workers
    time.sleep(1)
    owner.kill()
    owner.wait()
    _, alive = psutil.wait_procs(workers, timeout=20)
    assert alive == []


def _workers_of(pid: int) -> list[psutil.Process]:
    children = psutil.Process(pid).children(recursive=True)
    return [child for child in children if "spawn_main" in " ".join(child.cmdline())]


def test_workers_follow_the_setting() -> None:
    assert parallel.worker_count(settings(workers=3)) == 3
    assert parallel.worker_count(settings()) == len(os.sched_getaffinity(0))


@pytest.mark.parametrize(("gib", "expected"), [(1.0, 24), (3.0, 8), (100.0, 1)])
def test_no_more_workers_than_there_is_memory_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, gib: float, expected: int
) -> None:
    """Of the container, which has 24 GiB here; unless the recipe says how many."""
    limit = tmp_path / "memory.max"
    limit.write_text(f"{24 * 2**30}\n")
    monkeypatch.setattr(memory, "CONTAINER_LIMITS", (limit, tmp_path / "none"))
    monkeypatch.setattr(memory.os, "sysconf", lambda _: 2**20)  # a page, and as many of them: a TiB
    monkeypatch.setattr(parallel, "cores", lambda: 64)
    assert parallel.worker_count(settings(), Resources(gib)) == expected
    assert parallel.worker_count(settings(workers=30), Resources(gib)) == 30


def test_the_pool_takes_the_memory_of_a_worker_into_account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "cores", lambda: 2)
    items = [f"({number}, __import__('time').sleep(0.3), __import__('os').getpid())[2]" for number in range(4)]
    for share, processes in ((0.4, 2), (0.6, 1)):
        results = parallel.map(eval, items, settings(), resources=Resources(share * machine_gib()))
        assert len({pid for _, pid in results}) == processes
