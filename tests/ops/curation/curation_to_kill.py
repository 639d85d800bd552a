"""Curates the project of SORAFLOW_PROJECT for every "run" on standard input, each time in a process group of its own
that may be killed: prints its number as soon as it begins and, asked by "over", its exit status once it has ended.

What costs a run its first ten seconds is importing torch and loading models. That happens once, here; the runs, and
their workers, are forked from this process.

Every file that is opened for decoding is noted in the file that the first argument names: time, process, path. Whoever
opens a file called *killer* brings the whole process group down with it.
"""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import av
from PIL import Image

from ops.exit_codes import StepStopped
from ops.runtime import parallel, workers
from ops.runtime.project import Project
from ops.steps import STEPS

CURATION = list(STEPS)[: list(STEPS).index("captions")]


def curate() -> int:
    try:
        for name in CURATION:
            STEPS[name].load()(Project.find())
    except StepStopped as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


def warm_up() -> None:
    """Curate in this process, so that all modules and models are loaded; its results are thrown away."""
    original = parallel.map
    parallel.map = lambda function, items, *_: ((item, workers.caught(function, item)) for item in items)
    curate()
    parallel.map = original


def noting(log: Path, opened: Callable[..., Any]) -> Callable[..., Any]:
    def noted(file: Any, *arguments: Any, **options: Any) -> Any:
        if "killer" in str(file):
            os.killpg(0, signal.SIGKILL)
        with log.open("a", encoding="utf-8") as notes:
            notes.write(f"{time.time()}\t{os.getpid()}\t{file}\n")
        return opened(file, *arguments, **options)

    return noted


class Forking:
    """Workers begin as copies of this process, but without the ends of each other's pipes, as spawned ones do."""

    def __init__(self) -> None:
        self._context, self._ours = get_context("fork"), []  # type: ignore[var-annotated]

    def Pipe(self) -> tuple[Any, Any]:
        ours, theirs = self._context.Pipe()
        self._ours.append(ours)
        return ours, theirs

    def Process(self, target: Callable[..., None], args: tuple[Any, ...], daemon: bool) -> Any:
        return self._context.Process(target=self._serve, args=(target, *args), daemon=daemon)

    def _serve(self, target: Callable[..., None], *arguments: Any) -> None:
        for connection in self._ours:
            connection.close()
        target(*arguments)


def main(log: Path) -> None:
    warm_up()
    workers._SPAWN = Forking()  # type: ignore[assignment]
    av.open, Image.open = noting(log, av.open), noting(log, Image.open)
    print("ready", flush=True)
    for _ in sys.stdin:
        process = os.fork()
        if process == 0:
            os.setsid()
            status = 70
            try:
                status = curate()
            except BaseException:
                traceback.print_exc()
            os._exit(status)
        print(process, flush=True)
        sys.stdin.readline()  # until then it is not waited for, so that its number is nobody else's
        print(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
