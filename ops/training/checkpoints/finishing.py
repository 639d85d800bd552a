"""What a training leaves behind when its last step is done. First rank only."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from ops.runtime.files import write_json
from ops.training.checkpoints import store as checkpoints
from ops.training.checkpoints.checkpointing import store_of
from ops.training.loop.session import Session
from ops.training.recording.incidents import FOLDER, incidents, page_of
from ops.training.recording.recorder import Records
from ops.training.results import Checkpoint, IncidentNote, LeftOutSample, Trained

B = TypeVar("B")


def finish(session: Session[B], records: Records) -> Trained:
    """Register what an interrupted attempt left out, release the best, and write `results.json`."""
    store, run = store_of(session), records.run
    best = store.best_sound(session.method.validation.higher_is_better)
    for path in store.complete():
        records.checkpoint(path)
    records.gradients(session.state.step)
    run.settle(lambda note: records.working(session.state.step, note))
    state = checkpoints.read_state(best)
    model = run.log_released(best / "ema", state["step"], state["held_out"])
    results = _results(session, records, best, model)
    write_json(session.job.folder / "results.json", results.as_json())
    records.reporter.message({"asset": session.job.asset, **results.as_json()})
    return results


def _results(session: Session[B], records: Records, best: Path, model: str | None) -> Trained:
    job, state, validation, run = session.job, session.state, session.method.validation, records.run
    assert state.first is not None  # it was measured before the first step
    kept = [(path, checkpoints.read_state(path)) for path in store_of(session).complete()]
    of_best = checkpoints.read_state(best)
    return Trained(
        released=(best / "ema").relative_to(job.folder).as_posix(),
        metric=validation.metric,
        higher_is_better=validation.higher_is_better,
        first=state.first,
        last=kept[-1][1]["metric"],
        best=of_best["metric"],
        gain=of_best["held_out"].get("gain"),
        gain_error=of_best["held_out"].get("gain_error"),
        best_step=checkpoints.step_of(best),
        steps=state.step,
        incidents=tuple(
            IncidentNote(step=each["step"], reason=each["reason"], page=f"{FOLDER}/{page_of(path).name}")
            for path, each in incidents(job.folder)
        ),
        left_out={name: LeftOutSample(**each) for name, each in state.left_out.samples.items()},
        seconds=round(state.seconds, 2),
        mlflow_run_id=run.run_id,
        logged_model=model,
        dataset_version=job.dataset_version,
        init_from=job.init_from,
        checkpoints=tuple(
            Checkpoint(
                step=each["step"],
                folder=path.relative_to(job.folder).as_posix(),
                metric=each["metric"],
                logged_model=run.model_of(checkpoints.content_hash(path, "ema")),
            )
            for path, each in kept
        ),
    )
