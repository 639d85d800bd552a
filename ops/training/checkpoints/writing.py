"""A checkpoint on its way to the disk: each rank's files are written in a thread, while training goes on."""

from __future__ import annotations

import itertools
import json
import time
import traceback
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict

from ops.training.checkpoints import store as checkpoints
from ops.training.checkpoints.store import CheckpointState, Files, Listed
from ops.training.launching.ranks import Ranks
from ops.training.loop.collective import Board, board

SECONDS_BETWEEN_LOOKS = 0.2
_numbers = itertools.count()


class Told(TypedDict):
    """What a rank has to say when its thread is done: the files that it wrote, or why it did not."""

    files: dict[str, Listed]
    error: str | None


@dataclass
class Writing:
    """One that was begun; every rank makes this alike."""

    path: Path
    state: CheckpointState
    ranks: Ranks
    board: Board = field(default_factory=board)
    number: int = field(default_factory=lambda: next(_numbers))
    """Tells it from others, on all ranks alike."""
    now: str = ""
    """The file that this rank is at."""
    abandoned: bool = False
    done: Future[None] = field(init=False)

    def begin(self, files: Files) -> None:
        """Have these written, which are this rank's and copied."""
        pool = ThreadPoolExecutor(1, thread_name_prefix="checkpoint")
        self.done = pool.submit(self._write, files)
        pool.shutdown(wait=False)  # the interpreter waits for its thread before it ends

    def _write(self, files: Files) -> None:
        told: Told = {"files": {}, "error": None}
        try:
            told["files"] = checkpoints.write(self.path, files, self._going_on)
        except checkpoints.Abandoned as error:
            told["error"] = str(error)
        except Exception as error:  # told to all ranks, which decide together
            traceback.print_exc()
            told["error"] = f"rank {self.ranks.rank}: {error}"
        files.clear()
        self.board.set(self._key(self.ranks.rank), json.dumps(told))

    def _going_on(self, name: str) -> bool:
        self.now = name
        return not self.abandoned

    @property
    def progress(self) -> tuple[str, int]:
        """The file that is being written and its bytes so far. It stands still while nothing is."""
        file = self.path / self.now
        return self.now, file.stat().st_size if self.now and file.exists() else 0

    def everywhere(self) -> bool:
        """Whether all ranks are done with it, well or not."""
        return self.done.done() and self.board.check([self._key(rank) for rank in range(self.ranks.world_size)])

    def wait(self, seconds: float) -> bool:
        """`everywhere`, at most so long later."""
        deadline = time.monotonic() + seconds
        while not self.everywhere():
            if time.monotonic() >= deadline:
                return False
            time.sleep(SECONDS_BETWEEN_LOOKS)
        return True

    def seal(self) -> str | None:
        """Make it one, when `everywhere`; why not, if it cannot be. First rank only."""
        told: list[Told] = [json.loads(self.board.get(self._key(rank))) for rank in range(self.ranks.world_size)]
        errors = [each["error"] for each in told if each["error"]]
        if not errors:
            try:
                checkpoints.seal(self.path, self.state, {k: v for each in told for k, v in each["files"].items()})
            except (OSError, checkpoints.CorruptCheckpoint) as error:
                errors = [str(error)]
        return "; ".join(errors) or None

    def _key(self, rank: int) -> str:
        return f"checkpoint/{self.number}/{rank}"


@dataclass
class Saving:
    """How it stands with a session's checkpoints: never two are written at once."""

    writing: Writing | None = None
    failed: str | None = None
    """Why the last one could not be written. First rank only."""
