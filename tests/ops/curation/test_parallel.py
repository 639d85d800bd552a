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
from ops.runtime import parallel
from ops.runtime.parallel import Failure
from ops.runtime.progress import Progress
from ops.runtime.project import Project


def settings(**changes) -> Curation:
    return Curation(
        aesthetics=Aesthetics(scorer="colourfulness", minimum=0),
        technical_quality=TechnicalQuality(scorer="niqe", threshold=9),
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


def test_a_dying_worker_costs_its_own_item_only() -> None:
    results = dict(parallel.map(signal.raise_signal, [0, signal.SIGKILL], settings(workers=2)))
    assert isinstance(results[signal.SIGKILL], Failure)
    assert "died twice" in results[signal.SIGKILL].reason
    assert set(results) == {0, signal.SIGKILL}


def test_workers_end_with_the_process_that_started_them(tmp_path: Path) -> None:
    code = (
        "import os, time; from ops.config import *; from ops.runtime import parallel\n"
        "rules = {'aesthetics': {'scorer': 'colourfulness', 'minimum': 0},"
        " 'technical_quality': {'scorer': 'niqe', 'threshold': 9}, 'workers': 1}\n"
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
    assert parallel.worker_count(settings()) == (os.cpu_count() or 1)


@pytest.mark.slow
def test_ray_gives_the_same() -> None:
    ray = pytest.importorskip("ray")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        results = dict(parallel.map(int, ["1", "x", "3"], settings(engine="ray")))
    finally:
        ray.shutdown()
    assert (results["1"], results["3"]) == (1, 3)
    assert isinstance(results["x"], Failure)
