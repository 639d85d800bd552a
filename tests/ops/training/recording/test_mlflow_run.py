"""What a training tells MLflow arrives, though the store goes away for a while."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow import MlflowClient
from mlflow.entities import RunStatus
from PIL import Image

from ops.runtime.tracking.connection import connect
from ops.training.job import Job
from ops.training.recording import mlflow_run
from ops.training.recording.mlflow_run import MlflowRun, RecordsNotSent, close_run


class Store:
    """The SQLite store of a project; each call of MLflow opens it anew, as a client asks a server each time."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._aside = folder, folder.with_name("aside")

    def take_away(self) -> None:
        self._folder.rename(self._aside)
        self._folder.touch()

    def bring_back(self) -> None:
        self._folder.unlink()
        self._aside.rename(self._folder)


@pytest.fixture
def job(make_lab: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Job]:
    monkeypatch.setenv("MLFLOW_SQLALCHEMYSTORE_POOLCLASS", "NullPool")
    yield make_lab(tmp_path / "lab").job("wfvae")
    mlflow.end_run()


def checkpoint(job: Job, step: int) -> Path:
    path = job.folder / "checkpoints" / f"step_{step}"
    path.mkdir(parents=True)
    return path


def test_records_wait_for_a_store_that_is_away_also_past_the_end_of_the_process(job: Job) -> None:
    """Curve, pictures, checkpoints: all of them, once, in the run where they belong."""
    said: list[str] = []
    store = Store(job.project.var / "mlflow")
    picture = job.folder / "pictures" / "step_000010.png"
    picture.parent.mkdir()
    Image.new("RGB", (8, 8)).save(picture)
    run = MlflowRun(job, "psnr", {}, {}, said.append)
    run.log(1, {"loss": 3.0})
    run.flush()
    store.take_away()
    for step in (2, 3, 10):
        run.log(step, {"loss": 1 / step})
    run.log_picture(picture, 10)
    run.log(11, {"psnr": 12.5})
    run.log_checkpoint(checkpoint(job, 11), 11, "content", {"psnr": 12.5})
    run.forget_checkpoint("content")
    run.end("KILLED")  # as a training does that is stopped: the store cannot be told, and that is no error
    close_run(job, "KILLED")
    assert len([line for line in said if "records wait in" in line]) == 1
    assert (job.folder / "outbox.json").is_file()

    store.bring_back()
    mlflow.end_run()
    resumed = MlflowRun(job, "psnr", {}, {}, said.append)
    assert resumed.run_id == run.run_id
    assert resumed.last_logged_step == 11
    assert not (job.folder / "outbox.json").exists()
    assert "MLflow answers again and has got what waited" in said
    resumed.log_checkpoint(checkpoint(job, 12), 11, "content", {"psnr": 12.5})  # known by its content
    resumed.end("FINISHED")

    client = connect(job.project)
    losses = client.get_metric_history(run.run_id, "loss")
    assert {point.step: point.value for point in losses} == {1: 3.0, 2: 1 / 2, 3: 1 / 3, 10: 1 / 10}
    assert [point.step for point in client.get_metric_history(run.run_id, "psnr")] == [11]
    shown = [file.path for file in client.list_artifacts(run.run_id, "images") if file.path.endswith(".png")]
    assert [path.split("+")[:3] for path in shown] == [["images/held_out", "step", "10"]]
    found = client.get_run(run.run_id)
    assert found.info.status == RunStatus.to_string(RunStatus.FINISHED)
    (model,) = mlflow.search_logged_models(experiment_ids=[found.info.experiment_id], output_format="list")
    assert (model.tags["soraflow.kept"], [metric.value for metric in model.metrics]) == ("false", [12.5])


def test_a_store_that_is_away_is_not_asked_at_every_step_but_in_the_end(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mlflow_run, "SECONDS_TO_WAIT_AT_THE_END", 0.0)
    monkeypatch.setattr(mlflow_run, "SECONDS_BETWEEN_LOOKS", 0.0)
    run = MlflowRun(job, "psnr", {}, {})
    store = Store(job.project.var / "mlflow")
    store.take_away()
    run.log(10, {"loss": 1.0})
    with pytest.raises(RecordsNotSent, match=r"training is complete and kept in .* Run the same command again"):
        run.settle(print)
    store.bring_back()
    run.log(20, {"loss": 2.0})  # a moment later: it waits, on the disk
    waiting = json.loads((job.folder / "outbox.json").read_text(encoding="utf-8"))
    assert [record["points"][0][3] for record in waiting] == [10, 20]
    run.settle(print)
    assert [point.step for point in connect(job.project).get_metric_history(run.run_id, "loss")] == [10, 20]


def test_a_request_to_stop_waits_for_what_is_being_written(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the middle of a transaction it would leave the store locked for everybody, this process's own farewell
    included."""

    class Stopped(BaseException):
        pass

    def stop(*_: object) -> None:
        raise Stopped

    run = MlflowRun(job, "psnr", {}, {}, system_metrics=False)
    log_batch = MlflowClient.log_batch

    def told_meanwhile(client: MlflowClient, *args: Any, **kwargs: Any) -> None:
        signal.raise_signal(signal.SIGTERM)
        log_batch(client, *args, **kwargs)

    monkeypatch.setattr(MlflowClient, "log_batch", told_meanwhile)
    before = signal.signal(signal.SIGTERM, stop)
    try:
        with pytest.raises(Stopped):
            run.log(10, {"loss": 0.5})
    finally:
        signal.signal(signal.SIGTERM, before)
    monkeypatch.undo()
    assert [point.value for point in connect(job.project).get_metric_history(run.run_id, "loss")] == [0.5]
    run.end("KILLED")
