"""The file that tells a training process everything it has to know."""

from __future__ import annotations

import argparse
from functools import cached_property
from pathlib import Path

from pydantic import BaseModel, ConfigDict, model_validator

from ops.config import ImageCondition, Launch, LowRankStage, OfText, Schedule, Settings, Vae
from ops.runtime.files import replacing
from ops.runtime.project import Project
from ops.training.results import InitFrom
from ops.training.trainings import Training, training

FILE = "job.json"


def was_trained(folder: Path) -> bool:
    """Whether a training made what lies in an artifact's folder; weights that were adopted have no job."""
    return (folder / FILE).is_file()


class Job(BaseModel):
    """One training: which asset, in which folder, from which inputs, under which resolved settings.

    `inputs` are the versions of the assets that it is made from; `dataset_version` is the training set's.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    root: Path
    folder: Path
    asset: str
    fingerprint: str
    inputs: dict[str, str]
    dataset_version: str
    init_from: InitFrom | None
    settings: Settings
    pipeline_run: str | None = None
    """The run of the pipeline that this attempt belongs to."""

    @cached_property
    def project(self) -> Project:
        return Project(self.root, recipe=self.settings)

    @property
    def hostfile(self) -> Path | None:
        """Relative to the project."""
        named = self.launch.hostfile
        return self.root / named if named else None

    @property
    def launch(self) -> Launch:
        return self.training.launch

    @property
    def training(self) -> Training:
        return training(self.settings, self.asset)

    @property
    def schedule(self) -> Schedule:
        return self.training.schedule

    @property
    def denoiser_stage(self) -> OfText:
        """The section of the recipe that says what this stage of the denoiser is."""
        section = self.training.section
        assert isinstance(section, OfText), f"{self.asset} is no stage of the denoiser"
        return section

    @property
    def image_condition(self) -> ImageCondition:
        """The section of the recipe that says what this stage on given frames is."""
        section = self.training.section
        assert isinstance(section, ImageCondition), f"{self.asset} is no stage on given frames"
        return section

    @property
    def low_rank(self) -> LowRankStage:
        """The section of the recipe that says what adapters this stage trains."""
        section = self.training.section
        assert isinstance(section, LowRankStage), f"{self.asset} is no stage of adapters"
        return section

    @property
    def vae(self) -> Vae:
        """The section of the recipe that says what this training of the VAE is."""
        section = self.training.section
        assert isinstance(section, Vae), f"{self.asset} is no training of the VAE"
        return section

    @model_validator(mode="before")
    @classmethod
    def _the_asset_tells_the_stage(cls, value: object) -> object:
        """A job of an earlier version named its stage, too."""
        return {key: each for key, each in value.items() if key != "stage"} if isinstance(value, dict) else value

    def write(self, folder: Path | None = None) -> Path:
        """As `job.json`, in its own folder unless told another."""
        path = (folder or self.folder) / FILE
        with replacing(path) as temporary:
            temporary.write_text(self.model_dump_json(indent=2) + "\n", encoding="utf-8")
        return path

    @classmethod
    def from_arguments(cls) -> Job:
        """The job named by `--job FILE` on the command line."""
        parser = argparse.ArgumentParser()
        parser.add_argument("--job", type=Path, required=True, help="a job.json written by ops.training.assets")
        return cls.model_validate_json(parser.parse_args().job.read_text(encoding="utf-8"))
