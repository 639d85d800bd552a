"""Who hears of a training while it goes on: on the first rank its log, its loss curve, MLflow and Dagster."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ops.training.checkpoints import store as checkpoints
from ops.training.recording.incidents import incident_file, left_out_file, write_incident, write_left_out
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

    def incident(self, step: int, reason: str, figures: Mapping[str, float], sample_ids: Sequence[str]) -> None:
        """A step that went wrong, with the samples of its global batch."""

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

    def __init__(self, folder: Path, run: MlflowRun, metrics: MetricsFile, reporter: Reporter) -> None:
        self._folder, self._metrics = folder, metrics
        self.run, self.reporter = run, reporter
        self.run_id, self.last_logged_step = run.run_id, run.last_logged_step

    def say(self, line: str) -> None:
        self.reporter.say(line)

    def working(self, step: int, note: str) -> None:
        self.reporter.step(step, note)

    def figures(self, step: int, figures: Mapping[str, float]) -> None:
        self._metrics.write(step, figures)
        self.run.log(step, figures)

    def incident(self, step: int, reason: str, figures: Mapping[str, float], sample_ids: Sequence[str]) -> None:
        write_incident(self._folder, step, reason, figures, sample_ids)
        self.say(f"step {step}: {reason}; see {incident_file(self._folder, step)}")

    def left_out(self, step: int, samples: Mapping[str, Mapping[str, object]]) -> None:
        write_left_out(self._folder, step, samples)
        self.run.log_file(left_out_file(self._folder, step), "incidents")

    def picture(self, step: int, draw: Callable[[Path], bool]) -> None:
        if step <= self.last_logged_step:
            return
        path = self._folder / "pictures" / f"step_{step:06d}.png"
        if draw(path):
            self.run.log_picture(path, step)

    def saving(self) -> None:
        self.run.flush()

    def checkpoint(self, path: Path) -> None:
        state, content = checkpoints.read_state(path), checkpoints.content_hash(path, "ema")
        self.run.log_checkpoint(path, state["step"], content, state["held_out"])

    def forget(self, content: str) -> None:
        self.run.forget_checkpoint(content)
