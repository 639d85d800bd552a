"""Where things lie: the project's folder and the rooms in it."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from ops.config import ConfigError, Settings, load
from ops.runtime.device import Accelerator


@dataclass(frozen=True)
class Project:
    """One checkout: `params.yaml` and `configs/` are read, `data/` and `var/` are written."""

    root: Path
    pipeline_run: str | None = field(default=None, compare=False)
    """Which run of the pipeline is at work here, so that its records lie together; None outside of one."""
    recipe: Settings | None = field(default=None, compare=False, repr=False)
    """The settings of one run, which hold until its end whatever happens to `params.yaml`; None reads that file."""
    line: str | None = None
    """The training whose model is sampled, scored and released here; None is the one of the recipe's own champion."""

    @classmethod
    def find(cls) -> Project:
        """The project of SORAFLOW_PROJECT, or the nearest folder upwards that holds `params.yaml`.

        Raises:
            ConfigError: there is none, or one of its rooms is a link to a folder that is not there.
        """
        named = os.environ.get("SORAFLOW_PROJECT")
        if named:
            return cls(Path(named).resolve())._with_rooms()
        here = Path.cwd().resolve()
        for folder in (here, *here.parents):
            if (folder / "params.yaml").is_file() and (folder / "configs").is_dir():
                return cls(folder)._with_rooms()
        raise ConfigError(f"no params.yaml in {here} or above it; change into a project or set SORAFLOW_PROJECT")

    def _with_rooms(self) -> Project:
        """Itself, unless `data/` or `var/` lies on a disk that is not mounted."""
        for room in (self.data, self.var):
            if room.is_symlink() and not room.is_dir():
                raise ConfigError(
                    f"{room} is a link to {os.readlink(room)}, where no folder is: mount that disk, make the folder, "
                    "or remove the link"
                )
        return self

    @cached_property
    def settings(self) -> Settings:
        return self.recipe or load(self.root)

    @property
    def accelerator(self) -> Accelerator:
        """What this process computes on."""
        return self.settings.launch.accelerator

    def is_of_params(self) -> bool:
        """Whether the settings are what `params.yaml` says now."""
        try:
            return self.recipe is None or self.recipe == load(self.root)
        except ConfigError:  # somebody is at work on the file
            return False

    def of_line(self, training: str | None) -> Project:
        """The same, for the samples, scores and releases of another training, by its asset."""
        return replace(self, line=training)

    def named(self, asset: str) -> str:
        """One of the assets between a training and its release, as it is called in this line."""
        return f"{self.line}_{asset}" if self.line else asset

    @property
    def data(self) -> Path:
        """Outputs under DVC."""
        return self.root / "data"

    @property
    def var(self) -> Path:
        """State of runs: artifacts, weights, scores, logs, the Dagster home, the MLflow store."""
        return self.root / "var"

    @property
    def artifacts(self) -> Path:
        return self.var / "artifacts"

    @property
    def weights(self) -> Path:
        return self.var / "weights"

    @property
    def logs(self) -> Path:
        return self.var / "logs"

    @property
    def dagster_home(self) -> Path:
        return self.var / "dagster"

    @property
    def tracking_uri(self) -> str:
        """MLflow's: the server named by the environment, or this project's own SQLite store."""
        return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{self.var / 'mlflow' / 'mlflow.db'}"

    def table(self, name: str) -> Path:
        """The Parquet table of a dataset step, such as `clips`."""
        return self.data / f"{name}.parquet"
