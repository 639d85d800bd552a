"""Who hears of a training while it goes on: on the first rank its log, its loss curve, MLflow and Dagster."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ops.data.columns import Sample
from ops.training.checkpoints import store as checkpoints
from ops.training.job import Job
from ops.training.recording import gradient_curves
from ops.training.recording.incidents import (
    FOLDER,
    Incident,
    complete_pages,
    left_out_file,
    write_incident,
    write_left_out,
)
from ops.training.recording.metrics_file import MetricsFile
from ops.training.recording.reporting import Reporter

if TYPE_CHECKING:
    from ops.training.recording.mlflow_run import MlflowRun


class Recorder:
    """Hears everything and keeps nothing: the recorder of every rank but the first."""

    run_id: str | None = None
    last_logged_step = -1
    """Of an earlier attempt: what it has logged is not logged again."""

    def say(self, line: str) -> None:
        """A line for a person."""

    def working(self, step: int, note: str) -> None:
        """A sign of life, with the last step that was made and what is being done."""

    def figures(self, step: int, figures: Mapping[str, float]) -> None:
        """A point of every curve."""

    def incident(self, incident: Incident, samples: Mapping[str, Sample]) -> None:
        """A step that went wrong; `samples` holds those of its batch by their ids, and may hold more."""

    def left_out(self, step: int, samples: Mapping[str, Mapping[str, object]]) -> None:
        """All samples that have been left out at this step, each with reason and source."""

    def picture(self, step: int, draw: Callable[[Path], bool]) -> None:
        """A picture of this step; `draw` is called when one is wanted, and says whether it has drawn any."""

    def saving(self) -> None:
        """A checkpoint is about to be written, which says what was logged by then."""

    def checkpoint(self, path: Path) -> None:
        """A checkpoint that is complete."""

    def forget(self, content: str) -> None:
        """A checkpoint of this content was removed."""


class Records(Recorder):
    """What the first rank keeps, in the training's folder and beyond."""

    def __init__(self, job: Job, run: MlflowRun, metrics: MetricsFile, reporter: Reporter) -> None:
        self._job, self._folder, self._metrics = job, job.folder, metrics
        self.run, self.reporter = run, reporter
        self.run_id, self.last_logged_step = run.run_id, run.last_logged_step

    def say(self, line: str) -> None:
        self.reporter.say(line)

    def working(self, step: int, note: str) -> None:
        self.reporter.step(step, note)

    def figures(self, step: int, figures: Mapping[str, float]) -> None:
        self._metrics.write(step, figures)
        self.run.log(step, figures)

    def incident(self, incident: Incident, samples: Mapping[str, Sample]) -> None:
        self.working(incident.step - 1, "writing an incident down")
        page = write_incident(self._folder, incident, samples, self._job.project, self._metrics.lines())
        self.run.log_file(page, FOLDER)
        self.say(f"step {incident.step}: {incident.reason}; see {page}")

    def left_out(self, step: int, samples: Mapping[str, Mapping[str, object]]) -> None:
        write_left_out(self._folder, step, samples)
        self.run.log_file(left_out_file(self._folder, step), FOLDER)

    def picture(self, step: int, draw: Callable[[Path], bool]) -> None:
        if step <= self.last_logged_step:
            return
        path = self._folder / "pictures" / f"step_{step:06d}.png"
        if draw(path):
            self.run.log_picture(path, step)

    def gradients(self, step: int) -> None:
        """The picture of the gradients of all steps, up to this one, and the curves around each incident."""
        lines = self._metrics.lines()
        picture = self._folder / gradient_curves.PICTURE
        gradient_curves.draw(self._job.asset, lines, picture)
        self.run.log_picture(picture, step, gradient_curves.NAME)
        for page in complete_pages(self._folder, lines):
            self.working(step, f"drawing what came after an incident: {page.name}")
            self.run.log_file(page, FOLDER)

    def saving(self) -> None:
        self.run.flush()

    def checkpoint(self, path: Path) -> None:
        state, content = checkpoints.read_state(path), checkpoints.content_hash(path, "ema")
        self.run.log_checkpoint(path, state["step"], content, state["held_out"])

    def forget(self, content: str) -> None:
        self.run.forget_checkpoint(content)
