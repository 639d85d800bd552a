"""The training set as a dataset source that MLflow can store with a run and give back."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from mlflow.data.dataset_source import DatasetSource
from mlflow.data.dataset_source_registry import register_dataset_source


class DvcDatasetSource(DatasetSource):
    """An output of a DVC stage at one version.

    `path` is relative to the project, `version` its DVC hash, `commit` the git commit whose `dvc.lock` names it.
    """

    def __init__(self, path: str, version: str, commit: str, root: str = ".") -> None:
        self.path, self.version, self.commit, self.root = path, version, commit, root

    @staticmethod
    def _get_source_type() -> str:
        return "dvc"

    def load(self, dst_path: str | None = None) -> str:
        """Fetch this version into `dst_path` (default: the project's own path) and return where it lies."""
        target = dst_path or str(Path(self.root) / self.path)
        command = [sys.executable, "-m", "dvc", "get", self.root, self.path, "--rev", self.commit]
        subprocess.run([*command, "--out", target, "--force"], check=True, cwd=self.root)
        return target

    @staticmethod
    def _can_resolve(raw_source: object) -> bool:
        return isinstance(raw_source, dict) and raw_source.keys() == {"path", "version", "commit", "root"}

    @classmethod
    def _resolve(cls, raw_source: dict[str, str]) -> DvcDatasetSource:
        """What `to_dict` gave; never guessed from a path alone, which has no version."""
        return cls.from_dict(raw_source)

    def to_dict(self) -> dict[str, str]:
        return {"path": self.path, "version": self.version, "commit": self.commit, "root": self.root}

    @classmethod
    def from_dict(cls, source_dict: dict[str, str]) -> DvcDatasetSource:
        return cls(**source_dict)


register_dataset_source(DvcDatasetSource)  # type: ignore[arg-type]  # takes classes, whatever its hint says
