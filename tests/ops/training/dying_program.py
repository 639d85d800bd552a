"""A training program with a rank that dies: `dying_program.py RANK STEP MODULE …` runs the module, and SIGKILLs its own
process if it is that rank, as soon as it has finished that step."""

from __future__ import annotations

import os
import runpy
import signal
import sys
from typing import Any

from ops.training.loop import loop


def main() -> None:
    rank, last, module, *arguments = sys.argv[1:]
    one_step = loop.one_step

    def one_step_or_death(session: Any, step: int, batches: Any) -> dict[str, float]:
        if os.environ["RANK"] == rank and step == int(last) + 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return one_step(session, step, batches)

    loop.one_step = one_step_or_death
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
