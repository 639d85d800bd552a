"""What a session takes back from a checkpoint, on all ranks together."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch

from ops.training.checkpoints import released_form, universal
from ops.training.checkpoints import store as checkpoints
from ops.training.checkpoints.shard_layout import ShardLayout
from ops.training.checkpoints.store import SHARDS, CheckpointStore
from ops.training.launching.ranks import Ranks
from ops.training.loop import engine as deepspeed_engine
from ops.training.loop.collective import from_first
from ops.training.loop.session import Session

B = TypeVar("B")


@dataclass(frozen=True)
class Start:
    """What a training goes on from, and where its shards lie, perhaps `converted` from another layout."""

    path: Path
    shards: Path
    converted: bool


def agreed_start(
    store: CheckpointStore, ranks: Ranks, layout: ShardLayout, converted: Path, underway: Callable[[str], None]
) -> Start | None:
    """Where all ranks start from; None at the beginning.

    The first rank looks, and converts the shards when they were written in another layout; `underway` is told.
    """
    start: Start | None = None
    if ranks.first and (newest := store.newest_sound()):
        before = checkpoints.layout_of(newest, layout)
        start = Start(newest, newest / SHARDS, converted=False)
        if before != layout:
            print(f"converting {newest} {_change(before, layout)}", flush=True)
            underway("converting a checkpoint")
            universal.convert(newest / SHARDS, converted, layout["apart"])
            start = Start(newest, converted, converted=True)
    return from_first(start)


def _change(before: ShardLayout, now: ShardLayout) -> str:
    if before == {**now, "world_size": before["world_size"]}:
        return f"from {before['world_size']} to {now['world_size']} ranks"
    return f"from {_in_words(before)} to {_in_words(now)}"


def _in_words(layout: ShardLayout) -> str:
    weights = "apart (ZeRO-3)" if layout["apart"] else "whole on each (ZeRO-1 or 2)"
    return f"{layout['world_size']} rank(s) with weights {weights} in {'bf16' if layout['half'] else 'float32'}"


def restore(session: Session[B], start: Start) -> None:
    """Continue from a checkpoint."""
    path, job, ours = start.path, session.job, session.state
    state = checkpoints.read_state(path)
    if state["fingerprint"] != job.fingerprint:
        raise RuntimeError(
            f"{path} belongs to a training with fingerprint {state['fingerprint']}, not {job.fingerprint} "
            f"(its dataset version is {state['dataset_version']}, this one's {job.dataset_version}); "
            f"remove {job.folder} to train anew"
        )
    deepspeed_engine.load(ours.engine, start.shards)
    ours.ema.load(released_form.read(path / "ema", ours.ema.slicing.empty))
    ours.clipping.restore(state["clipping"])
    ours.left_out.samples = state["left_out"]
    for each in session.method.kept:
        each.restore(path)
    restore_rng(path, session.ranks.rank, session.device)
    ours.step, ours.first, ours.seconds_before = state["step"], state["first"], state["seconds"]


def restore_rng(folder: Path, rank: int, device: torch.device) -> None:
    from safetensors.torch import load_file

    path = folder / "rng" / f"rank{rank}.safetensors"
    if not path.is_file():
        print(f"{folder} has no generator state of rank {rank}: there were fewer ranks", file=sys.stderr)
        return
    states = load_file(path)
    torch.set_rng_state(states["cpu"])
    if device.type != "cpu" and "device" in states:
        getattr(torch, device.type).set_rng_state(states["device"])
