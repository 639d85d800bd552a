"""Versions of the released model in MLflow's registry: what each is made of, its scores, and the three aliases."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from ops.evaluation.protocol import Score
from ops.generation.parts import Parts
from ops.runtime.project import Project

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion
    from mlflow.tracking import MlflowClient

CHAMPION, CANDIDATE, PREVIOUS = "champion", "candidate", "previous"
LONGEST_DESCRIPTION = 5000  # characters that every database behind MLflow holds

PARTS, SCORES, KEY, FOLDER = "soraflow.parts", "soraflow.scores", "soraflow.key", "soraflow.folder"
WEIGHTS = "weights"


class UnknownVersion(LookupError):
    """A model version or alias that does not exist; the message lists those that do."""

    def __str__(self) -> str:
        return str(self.args[0])


@dataclass(frozen=True)
class Version:
    """One version of the registered model. Its `tags` hold everything that `soraflow` needs to know of it."""

    model: str
    number: int
    aliases: tuple[str, ...]
    tags: dict[str, str] = field(repr=False)
    logged_model: str
    run_id: str | None
    created_at: int
    """Milliseconds since 1970."""

    @property
    def parts(self) -> Parts:
        """The denoiser, VAE and text encoder to generate with."""
        return Parts.of_json(self._tag(PARTS))

    @property
    def scores(self) -> dict[str, Score]:
        """Every score under its metric's name."""
        scores = map(Score.of_json, json.loads(self._tag(SCORES)))
        return {score.metric: score for score in scores}

    @property
    def folder(self) -> str:
        """The release's folder, relative to the project: lineage, model card."""
        return self._tag(FOLDER)

    def _tag(self, key: str) -> str:
        if key not in self.tags:
            raise UnknownVersion(f"{self.model} version {self.number} was not registered by soraflow: no tag '{key}'")
        return self.tags[key]


class Registry:
    """The registered model of a project's recipe, or of a line beside it, on the project's MLflow store."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self.model = "-".join(filter(None, (project.settings.release.registered_model, project.line)))

    @classmethod
    def named(cls, project: Project, text: str) -> tuple[Registry, str]:
        """The registry and the name in it that a text means: a number or alias of the recipe's own model, or of another
        line, as in `lora_mine@champion`."""
        line, _, name = text.rpartition("@")
        return cls(project.of_line(line or project.line)), name

    def called(self, name: str | int) -> str:
        """What commands call a version of this number or alias."""
        return f"{self._project.line}@{name}" if self._project.line else str(name)

    @cached_property
    def client(self) -> MlflowClient:
        from ops.runtime.tracking.connection import connect

        return connect(self._project)

    def versions(self) -> list[Version]:
        """All versions, oldest first; none when nothing was ever released."""
        if self._store_is_missing():
            return []
        aliases = self._aliases()
        found = self.client.search_model_versions(f"name = '{self.model}'")
        return sorted((self._read(version, aliases) for version in found), key=lambda version: version.number)

    def aliased(self, alias: str) -> Version | None:
        """The version that an alias points at."""
        return next((version for version in self.versions() if alias in version.aliases), None)

    def version(self, name: str | int) -> Version:
        """The version of a number or an alias.

        Raises:
            UnknownVersion: with what there is instead.
        """
        versions = self.versions()
        for version in versions:
            if str(name) == str(version.number) or name in version.aliases:
                return version
        if not versions:
            raise UnknownVersion(f"no model has been released yet, so there is no '{name}': run `soraflow run` first")
        numbers = ", ".join(str(version.number) for version in versions)
        aliases = ", ".join(alias for version in versions for alias in version.aliases) or "none"
        raise UnknownVersion(f"{self.model} has no version '{name}'; versions: {numbers}; aliases: {aliases}")

    def register(self, key: str, logged_model: str, tags: dict[str, str]) -> Version:
        """A version of a logged model; the one that was registered under the same key before, if any."""
        for version in self.versions():
            if version.tags.get(KEY) == key:
                return version
        self._make_model()
        run_id = self.client.get_logged_model(logged_model).source_run_id
        made = self.client.create_model_version(
            self.model, source=f"models:/{logged_model}", run_id=run_id, tags={KEY: key, **tags}, model_id=logged_model
        )
        return self.version(int(made.version))

    def tag(self, version: Version, tags: dict[str, str]) -> Version:
        """Set tags; returns the version as it is then."""
        for key, value in tags.items():
            self.client.set_model_version_tag(self.model, str(version.number), key, value)
        return self.version(version.number)

    def describe(self, version: Version, text: str) -> None:
        """Set the description that MLflow's page shows, cut to what its databases hold."""
        if len(text) > LONGEST_DESCRIPTION:
            more = "\n\n(cut here; the whole card is among the model's artifacts)"
            text = text[: LONGEST_DESCRIPTION - len(more)] + more
        self.client.update_model_version(self.model, str(version.number), description=text)

    def attach(self, version: Version, *files: Path) -> None:
        """Put files among the artifacts of the version's logged model, where `models:/NAME/N` finds them."""
        for file in files:
            self.client.log_model_artifact(version.logged_model, str(file))

    def attach_model(self, version: Version, folder: Path) -> None:
        """Put a model in MLflow's own form (an `MLmodel` file and what it names) where `models:/NAME/N` finds it."""
        from mlflow.utils.mlflow_tags import MLFLOW_MODEL_IS_EXTERNAL

        self.client.log_model_artifacts(version.logged_model, str(folder))
        if MLFLOW_MODEL_IS_EXTERNAL in self.client.get_logged_model(version.logged_model).tags:
            self.client.delete_logged_model_tag(version.logged_model, MLFLOW_MODEL_IS_EXTERNAL)

    def download(self, version: Version, file: str) -> Path:
        """One of the attached files, fetched from MLflow's store."""
        from mlflow.artifacts import download_artifacts

        place = self.client.get_logged_model(version.logged_model).artifact_location
        return Path(download_artifacts(f"{place}/{file}"))

    def point(self, alias: str, version: Version | None) -> None:
        """Move an alias to a version, or remove it."""
        if version is None:
            self.client.delete_registered_model_alias(self.model, alias)
        else:
            self.client.set_registered_model_alias(self.model, alias, str(version.number))

    def _make_model(self) -> None:
        from mlflow.exceptions import MlflowException

        try:
            self.client.create_registered_model(self.model, description="Text-to-video models made by soraflow.")
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise

    def _aliases(self) -> dict[str, str]:
        """Alias → version number. Search results do not carry them."""
        from mlflow.exceptions import MlflowException

        try:
            return dict(self.client.get_registered_model(self.model).aliases)
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return {}
            raise

    def _store_is_missing(self) -> bool:
        """Whether the project's own SQLite file does not exist yet; asking MLflow would take seconds to make it."""
        uri = self._project.tracking_uri
        return uri.startswith("sqlite:///") and not Path(uri.removeprefix("sqlite:///")).is_file()

    def _read(self, version: ModelVersion, aliases: Mapping[str, str | int]) -> Version:
        return Version(
            model=version.name,
            number=int(version.version),
            aliases=tuple(sorted(alias for alias, number in aliases.items() if int(number) == int(version.version))),
            tags=dict(version.tags),
            logged_model=str(version.source).rpartition("/")[2],
            run_id=version.run_id or None,
            created_at=version.creation_timestamp,
        )
