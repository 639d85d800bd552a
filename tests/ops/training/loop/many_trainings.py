"""Ranks that make the first steps of several trainings, one after the other: `many_trainings.py STEPS JOB…`.

Beside each job lies then `steps.json`, with the figures of where it began and of every step.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch

from ops.runtime.device import seed_everything
from ops.training.checkpoints import checkpointing, released_form
from ops.training.job import Job
from ops.training.launching import program
from ops.training.launching.ranks import Ranks, discover
from ops.training.loop import loop
from ops.training.loop.engine import start_distributed
from ops.training.methods import denoiser


def main() -> None:
    torch.set_num_threads(1)
    released_form.SMALLEST_PART = 2**12  # so that each rank writes its part of models that are small
    ranks = discover()
    start_distributed()
    steps, *jobs = sys.argv[1:]
    for path in jobs:
        train(Job.model_validate_json(Path(path).read_text(encoding="utf-8")), ranks, int(steps))
    torch.distributed.destroy_process_group()


def train(job: Job, ranks: Ranks, last: int) -> None:
    """To the step `last`, from the newest checkpoint, and leaves one."""
    seed_everything(job.settings.seed + ranks.rank)
    session = program.prepared(job, ranks, torch.device("cpu"), denoiser.compose)
    state = session.state
    lines = [{"step": float(state.step), **loop.judged(session, state.step)}]
    for step in range(state.step + 1, last + 1):
        lines.append({"step": float(step), **loop.step_without_unusable(session, step, session.read(step))})
        state.ema.update(state.model, step)
        state.step = step
    held_out = loop.judged(session, last)
    lines[-1] |= held_out
    checkpointing.save(session, held_out)
    checkpointing.require_written(session)
    if ranks.first:
        (job.folder / "steps.json").write_text(json.dumps(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
