"""What a training leaves behind, and what finished weights do that take its place."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import ConfigDict, model_validator

from ops.runtime.artifacts import Artifact, Record
from ops.weights.results import ReleasedDenoiser, Weights


class InitFrom(Record):
    """The finished training of which an average, its best or its last, is the starting point; or finished weights."""

    asset: str
    version: str
    folder: Path
    """In the released form."""
    logged_model: str | None = None
    mlflow_run_id: str | None = None
    latents: str | None = None
    """The version of those that it was trained on."""

    @classmethod
    def best_of(cls, artifact: Artifact[Trained]) -> Self:
        return cls._of(artifact, artifact.folder / artifact.results.released, artifact.results.logged_model)

    @classmethod
    def last_of(cls, artifact: Artifact[Trained]) -> Self:
        checkpoint = artifact.results.checkpoints[-1]
        return cls._of(artifact, artifact.folder / checkpoint.folder / "ema", checkpoint.logged_model)

    @classmethod
    def of_base(cls, artifact: Artifact[ReleasedDenoiser]) -> Self:
        return cls(asset=artifact.asset, version=artifact.version, folder=artifact.folder / artifact.results.released)

    @classmethod
    def _of(cls, artifact: Artifact[Trained], folder: Path, logged_model: str | None) -> Self:
        return cls(
            asset=artifact.asset,
            version=artifact.version,
            folder=folder,
            logged_model=logged_model,
            mlflow_run_id=artifact.results.mlflow_run_id,
            latents=artifact.inputs.get("latents"),
        )


class Checkpoint(Record):
    """A checkpoint that was kept."""

    step: int
    folder: str
    """In the training's folder; its average is in `ema` there."""
    metric: float
    logged_model: str | None
    """None when MLflow lost it before the training ended."""


class LeftOutSample(Record):
    """A sample that the training went on without, from which step on and why."""

    step: int
    reason: str


class IncidentNote(Record):
    """A step that went wrong, and the page in the training's folder that shows it."""

    step: int
    reason: str
    page: str


class Trained(Weights):
    """`metric` is measured on held-out data: before the first step, at the last one, and of the best checkpoint, whose
    average is what was released."""

    model_config = ConfigDict(extra="forbid")

    metric: str
    higher_is_better: bool
    first: float
    last: float
    best: float
    gain: float | None = None
    gain_error: float | None = None
    """By how much the metric got better, and the standard error of that; None where it is not measured sample by
    sample."""
    best_step: int
    steps: int
    left_out: dict[str, LeftOutSample]
    """By the sample's id."""
    incidents: tuple[IncidentNote, ...] = ()
    seconds: float
    """Over all attempts."""
    mlflow_run_id: str
    logged_model: str | None
    """Of the released copy; None when it was too large to copy."""
    dataset_version: str
    init_from: InitFrom | None
    checkpoints: tuple[Checkpoint, ...]
    """Oldest first."""


class Adopted(Weights):
    """Finished weights that the recipe named in `vae.released`, so that nothing was trained."""

    model_config = ConfigDict(extra="forbid")

    source: str | None = None
    """What the recipe called them; None of those that were adopted before it was kept."""

    @model_validator(mode="before")
    @classmethod
    def _once_a_training_without_a_step(cls, value: object) -> object:
        """Adopted weights were kept as that before; all that it told besides is that nothing was trained."""
        if isinstance(value, dict) and value.get("steps") == 0 and value.get("checkpoints") == []:
            return {"released": value["released"]}
        return value
