"""What a session writes into a checkpoint and takes back from it, on all ranks together."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
import torch.distributed as dist

from models import released
from ops.training.checkpoints import store as checkpoints
from ops.training.checkpoints import universal
from ops.training.checkpoints.shard_layout import ShardLayout
from ops.training.checkpoints.store import CheckpointState, CheckpointStore
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
        start = Start(newest, newest / "deepspeed", converted=False)
        if before != layout:
            print(f"converting {newest} {_change(before, layout)}", flush=True)
            underway("converting a checkpoint")
            universal.convert(newest / "deepspeed", converted, layout["apart"])
            start = Start(newest, converted, converted=True)
    return from_first(start)


def _change(before: ShardLayout, now: ShardLayout) -> str:
    if before["world_size"] != now["world_size"]:
        return f"from {before['world_size']} to {now['world_size']} ranks"
    return f"from shards of {before} to {now}"


def store_of(session: Session[B]) -> CheckpointStore:
    """The session's checkpoints; each file that is read whole is a sign of life."""
    return CheckpointStore(session.job.folder / "checkpoints", lambda file: _working(session, f"checking {file}"))


def save(session: Session[B], held_out: Mapping[str, float]) -> None:
    """Every rank writes its shards, the first one the rest and the marker. MLflow hears of it afterwards.

    Each part is a sign of life, for a large model on a slow disk takes a while.
    """
    store, first = store_of(session), session.ranks.first
    path = store.path(session.state.step)
    session.recorder.saving()
    if first:
        store.begin(session.state.step)
    dist.barrier()
    _save_shards(session, path)
    _save_released(session, path)
    if first:
        for each in session.method.kept:
            each.save(path)
    dist.barrier()
    if first:
        checkpoints.seal(path, _state(session, held_out), lambda file: _working(session, f"checking {file}"))
        session.recorder.checkpoint(path)
        _prune(session, store)
    dist.barrier()


def _working(session: Session[B], note: str) -> None:
    session.recorder.working(session.state.step, note)


def _save_shards(session: Session[B], path: Path) -> None:
    """What each rank has of its own."""
    _working(session, "saving: the engine's shards")
    deepspeed_engine.save(session.state.engine, path / "deepspeed")
    save_rng(path, session.ranks.rank, session.device)


def _save_released(session: Session[B], path: Path) -> None:
    """Weights and their average. All ranks bring them together, one after the other, and the first writes."""
    state = session.state
    for name, what, whole in (("model", "weights", state.weights), ("ema", "their average", state.ema.joined)):
        _working(session, f"saving: {what}")
        module = whole()
        if session.ranks.first:
            released.save_pretrained(module, path / name)


def _state(session: Session[B], held_out: Mapping[str, float]) -> CheckpointState:
    job, state, recorder = session.job, session.state, session.recorder
    return {
        "asset": job.asset,
        "fingerprint": job.fingerprint,
        "step": state.step,
        "world_size": session.ranks.world_size,
        "layout": state.layout,
        "metric": held_out[session.method.validation.metric],
        "held_out": dict(held_out),
        "first": state.first,
        "clipping": state.clipping.state(),
        "left_out": state.left_out.samples,
        "mlflow_run_id": recorder.run_id,
        "last_logged_step": max(state.step, recorder.last_logged_step),
        "seconds": state.seconds,
        "dataset_version": job.dataset_version,
        "seed": job.settings.seed,
    }


def _prune(session: Session[B], store: CheckpointStore) -> None:
    best = store.best(session.method.validation.higher_is_better)
    hashes = {path: checkpoints.content_hash(path, "ema") for path in store.complete()}
    for path in store.prune(session.job.schedule.keep_last, best):
        session.recorder.forget(hashes[path])


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
    ours.ema.load(released.from_pretrained(path / "ema"))
    ours.clipping.restore(state["clipping"])
    ours.left_out.samples = state["left_out"]
    for each in session.method.kept:
        each.restore(path)
    restore_rng(path, session.ranks.rank, session.device)
    ours.step, ours.first, ours.seconds_before = state["step"], state["first"], state["seconds"]


def save_rng(folder: Path, rank: int, device: torch.device) -> None:
    """Nothing in our own steps draws from these generators; a library that does must go on where it was."""
    from safetensors.torch import save_file

    states = {"cpu": torch.get_rng_state()}
    if device.type != "cpu":
        states["device"] = getattr(torch, device.type).get_rng_state()
    (folder / "rng").mkdir(exist_ok=True)
    save_file(states, folder / "rng" / f"rank{rank}.safetensors")


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
