"""Samples decoded by processes of their own: the same pixels, whatever happens to a process or a file."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil
import pytest

from ops.data.pixel_workers import PixelWorkers, decoding
from ops.data.pixels import read_sample
from ops.data.samples import training_samples
from ops.runtime.workers import Limits

SECONDS = 5.0


@pytest.fixture
def workers(trained_world) -> Iterator[PixelWorkers]:
    found = PixelWorkers(trained_world.project, 1, Limits(SECONDS, 4.0, "launch.loader_seconds", "launch.loader_gib"))
    yield found
    found.close()


def only_worker() -> int:
    """The process of the one worker there is."""
    (found,) = [each.pid for each in psutil.Process().children() if "spawn_main" in " ".join(each.cmdline())]
    return found


def test_what_hangs_is_made_again_and_a_broken_source_costs_its_sample(
    trained_world, workers: PixelWorkers, tmp_path: Path
) -> None:
    """While threads share one worker; a crash costs nothing, either."""
    project, samples = trained_world.project, training_samples(trained_world.project)
    (tmp_path / "cut.mp4").write_bytes(Path(samples[0]["root"], samples[0]["path"]).read_bytes()[:300])
    gone, cut = ({**samples[0], "root": str(tmp_path), "path": name} for name in ("gone.mp4", "cut.mp4"))
    asked = [[gone, samples[0]], [samples[1], cut], samples[2:4]]
    for ill in (signal.SIGSTOP, signal.SIGKILL):
        workers.read(samples[:1])
        before = only_worker()
        os.kill(before, ill)
        with ThreadPoolExecutor(3) as threads:
            answers = list(threads.map(workers.read, asked))
        assert only_worker() != before
        assert "gone.mp4" in answers[0][0]
        assert "is not what was curated" in answers[1][1]
        for row, pixels in [(samples[0], answers[0][1]), (samples[1], answers[1][0]), (samples[3], answers[2][1])]:
            assert np.array_equal(pixels, read_sample(project, row))
    os.kill(only_worker(), signal.SIGSTOP)
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(workers.read, samples[:1])
        workers.close()
        with pytest.raises(RuntimeError, match="sent home"):
            waiting.result(timeout=SECONDS)


def test_the_recipe_says_how_many(trained_world) -> None:
    launch = trained_world.project.settings.launch
    assert decoding(trained_world.project, launch, lambda row: [row]).workers == 0
    some = decoding(trained_world.project, launch.model_copy(update={"loader_workers": 3}), lambda row: [row])
    assert some.workers == 3
    some.close()


@pytest.mark.slow
def test_memory_stays_bounded_over_five_thousand_samples(trained_world, workers: PixelWorkers) -> None:
    """Of the worker and of this process, which have seen all kinds of files there are by the first look."""
    samples, sizes, seen = training_samples(trained_world.project), [], set()
    for number in range(5000 // len(samples) + 1):
        assert not any(isinstance(each, str) for each in workers.read(samples))
        if number % 20 == 19:
            worker = psutil.Process(only_worker())
            sizes.append(worker.memory_info().rss + psutil.Process().memory_info().rss)
            seen.add(worker.pid)
    assert len(seen) == 2, "the worker was not replaced"
    assert max(sizes) < 1.1 * sizes[0]
