"""What a training says while it runs: its log, its progress file, and Dagster when Dagster has started it."""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ops.runtime.progress import Progress

if TYPE_CHECKING:
    from dagster_pipes import PipesContext

STARTED_BY_DAGSTER = "DAGSTER_PIPES_CONTEXT"
SECONDS_OF_SILENCE = 30.0


class Reporter:
    """The first rank's voice."""

    def __init__(self, progress: Progress, pipes: PipesContext | None) -> None:
        self._progress, self._pipes = progress, pipes
        self._said = time.monotonic()

    @property
    def tags(self) -> dict[str, str]:
        """How Dagster knows this job, for the MLflow run."""
        if not self._pipes:
            return {}
        tags = {"dagster.run_id": self._pipes.run_id}
        if self._pipes.is_asset_step:
            tags["dagster.asset"] = self._pipes.asset_key
        return tags

    def say(self, line: str) -> None:
        """A line for the log, here and on Dagster's run page."""
        self._said = time.monotonic()
        print(line, flush=True)
        if self._pipes:
            self._pipes.log.info(line)

    def step(self, done: int, note: str = "") -> None:
        """How many steps are done. It is the heartbeat, so long work between steps calls it, too, and when that work
        takes longer than a reader of the log would wait, the log hears how far it is."""
        self._progress.update(done, note)
        if note and time.monotonic() - self._said > SECONDS_OF_SILENCE:
            self.say(f"after step {done}: {note}")

    def message(self, payload: Mapping[str, object]) -> None:
        """Something for the asset that started this job."""
        if self._pipes:
            self._pipes.report_custom_message(payload)


@contextmanager
def reporting(progress: Progress) -> Iterator[Reporter]:
    """A reporter, joined to Dagster through Pipes if Dagster's variables are set.

    All ranks inherit those, but only one process may open the channel: call this on the first rank alone.
    """
    if STARTED_BY_DAGSTER not in os.environ:
        yield Reporter(progress, None)
        return
    from dagster_pipes import open_dagster_pipes

    with open_dagster_pipes() as pipes:
        yield Reporter(progress, pipes)


def own_log(logs: Path, rank: int) -> None:
    """Send everything this process prints, from Python or from C, to `rank<N>.log`."""
    logs.mkdir(parents=True, exist_ok=True)
    (logs / f"rank{rank}.failed").unlink(missing_ok=True)
    descriptor = os.open(logs / f"rank{rank}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
        os.dup2(descriptor, stream.fileno())
    os.close(descriptor)


def note_failure(logs: Path, rank: int) -> None:
    """Print the traceback and leave the note by which the launcher finds the rank that failed first."""
    traceback.print_exc()
    sys.stderr.flush()
    (logs / f"rank{rank}.failed").touch()
