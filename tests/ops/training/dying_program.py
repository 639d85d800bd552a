"""A training program with a rank that dies: `dying_program.py RANK STEP MODULE …` runs the module, and SIGKILLs its own
process if it is that rank, as soon as it has finished that step and the checkpoint before is written; with `--writing`
before MODULE, when it has written the first of its files of that step's checkpoint, which it does while training goes
on."""

from __future__ import annotations

import os
import runpy
import signal
import sys
from pathlib import Path
from typing import Any

from ops.training.checkpoints import checkpointing, store
from ops.training.loop import loop


def main() -> None:
    rank, last, module, *arguments = sys.argv[1:]
    if module == "--writing":
        module, *arguments = arguments
        die_writing(rank, f"step_{int(last):06d}")
    else:
        die_after(rank, last)
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def die_writing(rank: str, checkpoint: str) -> None:
    write_one = store._write_one

    def write_one_and_die(file: Path, write: Any) -> Any:
        written = write_one(file, write)
        if os.environ["RANK"] == rank and checkpoint in file.parts:
            os.kill(os.getpid(), signal.SIGKILL)
        return written

    store._write_one = write_one_and_die


def die_after(rank: str, last: str) -> None:
    one_step = loop.one_step

    def one_step_or_death(session: Any, step: int, batches: Any) -> dict[str, float]:
        if step == int(last) + 1:
            checkpointing.finished(session)  # by all ranks: that one is whole
            if os.environ["RANK"] == rank:
                os.kill(os.getpid(), signal.SIGKILL)
        return one_step(session, step, batches)

    loop.one_step = one_step_or_death


if __name__ == "__main__":
    main()
