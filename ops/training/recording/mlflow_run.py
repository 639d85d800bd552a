"""The MLflow run of a training, owned by its first rank: begun once, continued by every resume, ended truthfully."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NotRequired, TypedDict

import mlflow
from mlflow.data.meta_dataset import MetaDataset
from mlflow.entities import DatasetInput, InputTag, LoggedModelStatus, Metric, RunTag

from ops.config import Vae
from ops.config.named import by_name
from ops.runtime.files import write_json
from ops.runtime.interruptions import held_back
from ops.runtime.source_code import git_state
from ops.runtime.tracking import pipeline_run
from ops.runtime.tracking.connection import STORE_ERRORS, connect, first_line, model_exists, revive_run
from ops.runtime.tracking.pipeline_run import Status
from ops.runtime.tracking.run_names import INPUT, latest, run_name
from ops.training.job import Job
from ops.training.recording import gradient_curves
from ops.training.recording.dvc_source import DvcDatasetSource
from ops.training.recording.incidents import FOLDER, incidents, page_of
from ops.training.recording.metrics_file import read as read_metrics
from ops.training.recording.outbox import Outbox, Record
from ops.training.trainings import asset_of

STEPS_PER_FLUSH = 10
DATASET = "training_set"
PICTURES = "held_out"
"""The name of the pictures among the charts of a run."""
LARGEST_COPY = 500 * 2**20
"""Released models up to this many bytes are copied into the artifact store; larger ones are only pointed at."""

SECONDS_TO_WAIT_AT_THE_END = 300.0
SECONDS_BETWEEN_LOOKS = 10.0


class _Remembered(TypedDict):
    """What `run.json` says of an earlier attempt."""

    run_id: str
    models: NotRequired[dict[str, str]]
    """Hash of a checkpoint's content → its logged model."""


class RecordsNotSent(RuntimeError):
    """A training that is complete, while MLflow is away."""


class MlflowRun:
    """Metrics of steps that MLflow has from an earlier attempt are not sent again.

    While a training runs, its store may be away: records then wait in `outbox.json`, in the training's folder, and are
    sent when it is back. `say` hears of it.
    """

    def __init__(
        self,
        job: Job,
        metric: str,
        tags: Mapping[str, str],
        launch_facts: Mapping[str, str],
        say: Callable[[str], None] = print,
        system_metrics: bool = True,
    ) -> None:
        self._job, self._say = job, say
        self._memory = job.folder / "run.json"
        self._buffer: list[tuple[str, float, int, int]] = []
        self._outbox = Outbox(job.folder / "outbox.json", self._deliver, STORE_ERRORS)
        self._away = bool(self._outbox.waiting)
        self._client = connect(job.project)
        self._system_metrics, self._gone = system_metrics, False
        known = self._known()
        if known:
            mlflow.start_run(run_id=known["run_id"], log_system_metrics=system_metrics)
        else:
            self._begin()
        run = mlflow.active_run()
        assert run is not None
        self.run_id: str = run.info.run_id
        self._models: dict[str, str] = known.get("models", {}) if known else {}
        self._remember()
        self._describe(tags, launch_facts, resumed=known is not None)
        pipeline_run.tell_above(self._client, self.run_id, None)
        self._send(at_once=True)
        self.last_logged_step = self._last_logged_step(metric)
        if self._gone:
            self.last_logged_step = self._log_again()

    def _known(self) -> _Remembered | None:
        """What an earlier attempt left in MLflow, if that is there still; what was only deleted is brought back."""
        known = _remembered(self._memory)
        if known is None:
            return None
        self._gone = not revive_run(self._client, known["run_id"])
        if self._gone:
            self._say(f"the MLflow run {known['run_id']} is gone; another one is begun, with what is known of it here")
            return None
        models = known.get("models", {})
        return {**known, "models": {key: each for key, each in models.items() if model_exists(self._client, each)}}

    def _log_again(self) -> int:
        """Log the figures and pictures of earlier attempts, whose run is gone; returns the last step of them."""
        lines = read_metrics(self._job.folder / "metrics.jsonl")
        for line in lines:
            self.log(int(line["step"]), {name: value for name, value in line.items() if name != "step"})
        self.flush()
        for picture in sorted((self._job.folder / "pictures").glob("step_*.png")):
            self.log_picture(picture, int(picture.stem.removeprefix("step_")))
        last = max((int(line["step"]) for line in lines), default=-1)
        if (drawn := self._job.folder / gradient_curves.PICTURE).is_file():
            self.log_picture(drawn, last, gradient_curves.NAME)
        for path, _ in incidents(self._job.folder):
            self.log_file(page_of(path), FOLDER)
        return last

    @held_back()
    def _begin(self) -> None:
        job, client = self._job, self._client
        experiment = pipeline_run.experiment_id(client, job.project)
        before = latest(client, experiment, job.asset)
        name = run_name(job.training.name, job.dataset_version, parameters(job), job.inputs, before)
        tags = pipeline_run.above(client, job.project, job.pipeline_run, job.settings, job.dataset_version)
        mlflow.start_run(experiment_id=experiment, run_name=name, tags=tags, log_system_metrics=self._system_metrics)

    def _describe(self, given: Mapping[str, str], launch_facts: Mapping[str, str], resumed: bool) -> None:
        """Parameters cannot change after the first attempt; what a later one brings along goes into tags."""
        tags = {**given, **git_state(self._job.root)}
        if resumed:
            tags |= {
                "soraflow.resumed": "true",
                **{f"soraflow.resume.{k}": v for k, v in launch_facts.items()},
            }
            pipeline_run.go_on_under(self._client, self._client.get_run(self.run_id), self._job.pipeline_run)
        else:
            tags |= {**_origin(self._job), **{f"soraflow.launch.{k}": v for k, v in launch_facts.items()}}
            pipeline_run.log_parameters(self._client, self.run_id, parameters(self._job))
            self._log_dataset(tags["git.commit"])
        self._client.log_batch(self.run_id, tags=[RunTag(key, value) for key, value in tags.items()])

    def _log_dataset(self, commit: str) -> None:
        job = self._job
        source = DvcDatasetSource(f"data/{DATASET}", job.dataset_version, commit, str(job.root))
        dataset = MetaDataset(source, name=DATASET, digest=job.dataset_version[:36])  # type: ignore[abstract]
        mark = InputTag("mlflow.data.context", "training")
        self._client.log_inputs(self.run_id, [DatasetInput(dataset._to_mlflow_entity(), [mark])])

    def _last_logged_step(self, metric: str) -> int:
        """A step sends all that it has to say in one call, so that two figures tell: step 0 has no loss."""
        histories = [self._client.get_metric_history(self.run_id, key) for key in ("loss", metric)]
        waiting = [point[3] for record in self._outbox.waiting for point in record.get("points", [])]
        return max([point.step for history in histories for point in history] + waiting, default=-1)

    def log(self, step: int, figures: Mapping[str, float]) -> None:
        """Take the figures of a step, to be sent a few steps at a time."""
        if step <= self.last_logged_step:
            return
        now = int(time.time() * 1000)
        self._buffer += [(key, value, now, step) for key, value in figures.items()]
        if step % STEPS_PER_FLUSH == 0:
            self.flush()

    def flush(self) -> None:
        """Send what waits. While the store is away, it is brought to the disk."""
        if self._buffer:
            self._outbox.add({"kind": "metrics", "points": self._buffer})
            self._buffer = []
        self._send()

    def _send(self, at_once: bool = False) -> Exception | None:
        problem = self._outbox.send(at_once)
        if problem and not self._away:
            self._say(
                f"MLflow does not answer ({first_line(problem)}); records wait in {self._outbox.path} until it does"
            )
        if self._away and not self._outbox.waiting:
            self._say("MLflow answers again and has got what waited")
        self._away = bool(self._outbox.waiting)
        return problem

    def settle(self, waiting: Callable[[str], None]) -> None:
        """See that the store has everything, and wait for it a while; `waiting` is told so.

        Raises:
            RecordsNotSent: when it stays away.
        """
        deadline = time.monotonic() + SECONDS_TO_WAIT_AT_THE_END
        self.flush()
        while problem := self._send(at_once=True):
            if time.monotonic() > deadline:
                raise RecordsNotSent(
                    f"the training is complete and kept in {self._job.folder}, but MLflow at "
                    f"{self._client.tracking_uri} does not answer: {first_line(problem)}. Run the same command again "
                    "when it does; only records are left to be sent"
                ) from problem
            waiting("waiting for MLflow")
            time.sleep(SECONDS_BETWEEN_LOOKS)

    def log_file(self, path: Path, folder: str) -> None:
        """Keep a file among the run's artifacts."""
        self._post({"kind": "file", "path": str(path), "folder": folder})

    def log_picture(self, path: Path, step: int, name: str = PICTURES) -> None:
        """Show a picture among the run's charts, where a slider leads through the steps of those of one name."""
        self._post({"kind": "picture", "path": str(path), "step": step, "name": name})

    def log_checkpoint(self, path: Path, step: int, content: str, figures: Mapping[str, float]) -> None:
        """Make a checkpoint findable as a logged model with its held-out figures; nothing is copied.

        Doing it again for the same content changes nothing.
        """
        same = {"kind": "checkpoint", "content": content}
        if content in self._models or any(same.items() <= record.items() for record in self._outbox.waiting):
            return
        self._post({**same, "uri": path.resolve().as_uri(), "step": step})
        self._post({"kind": "held_out", "content": content, "step": step, "figures": dict(figures)})

    def forget_checkpoint(self, content: str) -> None:
        """Say at the logged model that its files have been removed."""
        self._post({"kind": "forget", "content": content})

    def _post(self, record: Record) -> None:
        self.flush()  # what comes later may refer to what came before
        self._outbox.add(record)
        self._send()

    @held_back()
    def _deliver(self, record: Record) -> None:
        """Hand a record to MLflow. After an answer that was lost it is done again: figures are not doubled by that."""
        match record["kind"]:
            case "metrics":
                self._client.log_batch(self.run_id, metrics=[Metric(*point) for point in record["points"]])
            case "file":
                if Path(record["path"]).is_file():
                    self._client.log_artifact(self.run_id, record["path"], record["folder"])
            case "picture":
                self._show(Path(record["path"]), record["step"], record.get("name", PICTURES))
            case "checkpoint":
                self._create_model(record)
            case "held_out":
                self._log_held_out(record)
            case "forget" if record["content"] in self._models:
                self._client.set_logged_model_tags(self._models[record["content"]], {"soraflow.kept": "false"})

    def _show(self, path: Path, step: int, name: str) -> None:
        from PIL import Image

        if path.is_file():
            with Image.open(path) as picture:
                self._client.log_image(self.run_id, picture, key=name, step=step)

    def _create_model(self, record: Record) -> None:
        model = mlflow.create_external_model(
            name=f"{self._job.asset}-step{record['step']}",
            source_run_id=self.run_id,
            model_type=self._job.asset,
            params={"step": str(record["step"]), "dataset_version": self._job.dataset_version},
            tags={"uri": record["uri"], "sha256": record["content"], "soraflow.kept": "true"},
        )
        self._models[record["content"]] = model.model_id
        self._remember()

    def _log_held_out(self, record: Record) -> None:
        for key, value in record["figures"].items():
            self._client.log_metric(
                self.run_id,
                key,
                value,
                timestamp=self._time_of(key, record["step"]),
                step=record["step"],
                model_id=self._models[record["content"]],
                dataset_name=DATASET,
                dataset_digest=self._job.dataset_version[:36],
            )

    def _time_of(self, key: str, step: int) -> int | None:
        """When the run logged this; the same value at the same time is linked to the model, not added again."""
        history = self._client.get_metric_history(self.run_id, key)
        return next((metric.timestamp for metric in history if metric.step == step), None)

    def model_of(self, content: str) -> str | None:
        """The logged model of a checkpoint, by the hash of its content."""
        return self._models.get(content)

    @held_back()
    def log_released(self, folder: Path, step: int, figures: Mapping[str, float]) -> str | None:
        """Copy a released model into the artifact store, if it is small enough. Returns the logged model's id."""
        if sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) > LARGEST_COPY:
            return None
        model = mlflow.initialize_logged_model(
            name=self._job.asset,
            source_run_id=self.run_id,
            model_type=self._job.asset,
            params={"step": str(step), **{key: f"{value:.6g}" for key, value in figures.items()}},
            tags={"uri": folder.resolve().as_uri()},
        )
        self._client.log_model_artifacts(model.model_id, str(folder))
        mlflow.finalize_logged_model(model.model_id, LoggedModelStatus.READY)
        return model.model_id

    @held_back()
    def end(self, status: Status) -> None:
        """Close the run. Where the training did not end well, a store that is away does not hide why."""
        self.flush()
        try:
            mlflow.end_run(status)
            pipeline_run.tell_above(self._client, self.run_id, status)
        except STORE_ERRORS as error:
            if status == "FINISHED":
                raise
            self._say(f"MLflow could not be told that the run is {status}: {first_line(error)}")

    def _remember(self) -> None:
        write_json(self._memory, {"run_id": self.run_id, "models": self._models})


def parameters(job: Job) -> dict[str, str]:
    """The recipe by the names that `--set` takes; of its stages only this one, so that two stages side by side differ
    in what makes them differ. The VAE is as it is for this stage of its own, if it is trained in stages."""
    recipe = job.settings.model_dump(mode="json")
    if isinstance(section := job.training.section, Vae):
        recipe["vae"] = section.model_dump(mode="json")
    stages = [stage for stage in recipe.pop("stages") if asset_of(stage["name"], stage["kind"]) == job.asset]
    return by_name({**recipe, "stages": stages} if stages else recipe)


def _origin(job: Job) -> dict[str, str]:
    """What a training is made from, as tags."""
    tags = {
        "soraflow.asset": job.asset,
        "soraflow.fingerprint": job.fingerprint,
        "soraflow.dataset_version": job.dataset_version,
        **{f"{INPUT}{asset}": version for asset, version in job.inputs.items()},
    }
    if job.init_from:
        tags["soraflow.init_from"] = f"{job.init_from.asset}@{job.init_from.version}"
        tags["soraflow.init_from.logged_model"] = job.init_from.logged_model or "too large to copy"
    return tags


def close_run(job: Job, status: Status) -> None:
    """Say how a training ended whose process could not, or could not know: a rank that is stopped because another
    one died takes it for a request to stop. A run that has finished stays so, and a store that is away is only told of.
    """
    known = _remembered(job.folder / "run.json")
    if not known:
        return
    try:
        client = connect(job.project)
        if client.get_run(known["run_id"]).info.status != "FINISHED":
            client.set_terminated(known["run_id"], status)
            pipeline_run.tell_above(client, known["run_id"], status)
    except STORE_ERRORS as error:
        print(f"MLflow could not be told that the run of {job.asset} is {status}: {first_line(error)}", flush=True)


def _remembered(path: Path) -> _Remembered | None:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
