"""What a session writes into a checkpoint, on all ranks together and while training goes on."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TypeVar

import torch
from safetensors.torch import save_file

from ops.training.checkpoints import released_form
from ops.training.checkpoints import store as checkpoints
from ops.training.checkpoints.copying import copied
from ops.training.checkpoints.store import SHARDS, CheckpointState, CheckpointStore, Files
from ops.training.checkpoints.writing import Writing
from ops.training.loop import engine as deepspeed_engine
from ops.training.loop.collective import from_first
from ops.training.loop.session import Session

B = TypeVar("B")
SECONDS_BETWEEN_SIGNS = 5.0
SECONDS_BEFORE_THE_END = 10.0
"""Less than launchers give a process that they have told to stop."""


class CheckpointNotWritten(RuntimeError):
    """Checkpoints could not be written, one after the other; the message says why, and what still is there."""


def store_of(session: Session[B]) -> CheckpointStore:
    """The session's checkpoints; each file that is read whole is a sign of life."""
    return CheckpointStore(session.job.folder / "checkpoints", lambda file: _working(session, f"checking {file}"))


def save(session: Session[B], held_out: Mapping[str, float]) -> None:
    """Begin a checkpoint of the state as it is, once the one before is written. Every rank calls this alike.

    What a rank has to write is copied here, and written while training goes on; `settle` makes a checkpoint of it. One
    that could not be written is said in the log, for somebody may make room on the disk until the next; that one is
    waited for.

    Raises:
        CheckpointNotWritten: when neither the one before could be written nor this one.
    """
    failed_before = finished(session)
    session.recorder.saving()
    if _begun(session):
        path = store_of(session).path(session.state.step)
        _working(session, "copying the state for a checkpoint")
        writing = Writing(path, _state(session, held_out), session.ranks)
        writing.begin(_files(session))
        session.saving.writing = writing
    if failed_before:
        require_written(session)


def settle(session: Session[B]) -> None:
    """Make a checkpoint of what all ranks have written, if they have, and let MLflow hear of it. It is the first rank
    that does; the others hear of it from `finished`."""
    writing = session.saving.writing
    if writing and session.ranks.first and writing.everywhere():
        _settle(session, writing)


def finished(session: Session[B]) -> str | None:
    """Wait until nothing is being written; says why the last checkpoint could not be, or None. Every rank calls this
    alike."""
    writing = session.saving.writing
    if writing:
        _wait_for(session, writing)
        settle(session)
        session.saving.writing = None
    return from_first(session.saving.failed)


def require_written(session: Session[B]) -> None:
    """Wait for the last checkpoint. Every rank calls this alike.

    Raises:
        CheckpointNotWritten: it could not be written.
    """
    if why := finished(session):
        raise CheckpointNotWritten(
            f"{why}. The checkpoints before are as they were, and the training goes on from the newest of them when it "
            f"is started again: first make room where {session.job.folder} is, or lower schedule.keep_last"
        )


def settle_before_the_end(session: Session[B]) -> None:
    """What a rank can do by itself that was told to stop: what is written by now, or shortly, becomes a checkpoint."""
    writing = session.saving.writing
    if writing and session.ranks.first and writing.wait(SECONDS_BEFORE_THE_END):
        _settle(session, writing)


def abandon(session: Session[B]) -> None:
    """Write no further file: the training has failed, and nobody waits for what is being written."""
    if session.saving.writing:
        session.saving.writing.abandoned = True


def _begun(session: Session[B]) -> bool:
    """Whether there is an empty folder for it, on every rank alike."""
    begun = True
    if session.ranks.first:
        try:
            store_of(session).begin(session.state.step)
        except OSError as error:
            begun = False
            _tell_failed(session, f"of step {session.state.step}", str(error))
    return from_first(begun)


def _wait_for(session: Session[B], writing: Writing) -> None:
    """As long as it takes; that this rank's own file grows is a sign of life."""
    before: tuple[str, int] | None = None
    while not writing.wait(SECONDS_BETWEEN_SIGNS):
        if (now := writing.progress) != before:
            _working(session, f"waiting for {writing.path.name} to be written: {now[0]}")
            before = now


def _settle(session: Session[B], writing: Writing) -> None:
    session.saving.writing = None
    if why := writing.seal():
        checkpoints.remove(writing.path)  # for the room that it takes
        _tell_failed(session, writing.path.name, why)
        return
    session.saving.failed = None
    session.recorder.checkpoint(writing.path)
    _prune(session, store_of(session))


def _tell_failed(session: Session[B], name: str, why: str) -> None:
    session.saving.failed = why
    session.recorder.say(f"WARNING: there is no checkpoint {name}: {why}")


def _working(session: Session[B], note: str) -> None:
    session.recorder.working(session.state.step, note)


def _files(session: Session[B]) -> Files:
    """What this rank writes. All ranks bring weights and their average together, a tensor at a time."""
    state, ranks, shape = session.state, session.ranks, session.state.ema.slicing.empty
    shards = deepspeed_engine.shards(state.engine)
    made: Files = {f"{SHARDS}/{name}": partial(torch.save, shard) for name, shard in shards.items()}
    made |= {f"rng/rank{ranks.rank}.safetensors": partial(save_file, _rng(session.device))}
    made |= released_form.files("model", state.weights(), shape, ranks)
    made |= released_form.files("ema", state.ema.entries(), shape, ranks)
    for each in session.method.kept if ranks.first else ():
        made |= each.files()
    return made


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
        "left_out": copied(state.left_out.samples),
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


def _rng(device: torch.device) -> dict[str, torch.Tensor]:
    """Nothing in our own steps draws from these generators; a library that does must go on where it was."""
    states = {"cpu": torch.get_rng_state()}
    if device.type != "cpu":
        states["device"] = getattr(torch, device.type).get_rng_state()
    return states
