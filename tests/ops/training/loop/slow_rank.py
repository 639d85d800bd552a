"""Ten steps of a training in which one rank sleeps before it computes: `slow_rank.py RANK JOB`.

Beside the job lies then `said.json`, with what the first rank had to say.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import torch

from ops.runtime.device import seed_everything
from ops.training.job import Job
from ops.training.launching import program
from ops.training.launching.ranks import discover
from ops.training.loop import loop
from ops.training.loop.engine import start_distributed
from ops.training.methods import denoiser


def main() -> None:
    slow, path = int(sys.argv[1]), Path(sys.argv[2])
    torch.set_num_threads(1)
    ranks = discover()
    start_distributed()
    job = Job.model_validate_json(path.read_text(encoding="utf-8"))
    seed_everything(job.settings.seed + ranks.rank)
    session = program.prepared(job, ranks, torch.device("cpu"), denoiser.compose)
    said: list[str] = []
    session.recorder.say = said.append  # type: ignore[method-assign]
    loss = session.method.objective.loss

    def late(*arguments: Any) -> Any:
        if ranks.rank == slow:
            time.sleep(5)
        return loss(*arguments)

    for step in range(1, 11):
        if step == 10:
            session.method.objective.loss = late  # type: ignore[method-assign]
        loop.one_step(session, step, session.read(step))
    if ranks.first:
        (path.parent / "said.json").write_text(json.dumps(said), encoding="utf-8")
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main()
