"""Ranks that make two steps of a denoiser and count their tensors: `counted_ranks.py JOB T H W`.

Beside the job lies then `bytes<RANK>.txt`, the most that lived at once in the second step.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from ops.training.data.cached_latents import CachedBatch
from ops.training.job import Job
from ops.training.launching import program
from ops.training.launching.ranks import discover
from ops.training.loop import loop
from ops.training.loop.engine import start_distributed
from ops.training.loop.session import Batch
from ops.training.methods import denoiser
from ops.training.planning.live_bytes import LiveBytes


def main() -> None:
    torch.set_num_threads(1)
    path, latent = Path(sys.argv[1]), tuple(map(int, sys.argv[2:]))
    ranks = discover()
    start_distributed()
    job = Job.model_validate_json(path.read_text(encoding="utf-8"))
    with LiveBytes() as live:
        session = program.prepared(job, ranks, torch.device("cpu"), denoiser.compose)
        for step in (1, 2):
            batch = sized(session.read(step), latent)
            live.take_peak()
            loop.one_step(session, step, batch)
            session.state.ema.update(session.state.model, step)
        path.with_name(f"bytes{ranks.rank}.txt").write_text(str(live.peak), encoding="utf-8")
    torch.distributed.destroy_process_group()


def sized(batch: Batch[Any], latent: tuple[int, ...]) -> Batch[Any]:
    """The same samples with latents of another size."""
    parts = {
        place: CachedBatch(each.sample_ids, *(torch.zeros(len(each.sample_ids), 4, *latent) for _ in range(2)))
        for place, each in batch.parts.items()
    }
    return replace(batch, parts=parts)


if __name__ == "__main__":
    main()
