"""The recipe that a training ran under, which lies with what it made, whatever `params.yaml` says now."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import JsonValue, TypeAdapter, ValidationError

from ops.catalogue import Kind
from ops.config import Diffusion, TextEncoder
from ops.config.stages import DEFAULT_KIND
from ops.runtime.artifacts import Artifact, Entry, ForeignArtifact, MissingArtifact
from ops.runtime.files import Document, read_json
from ops.training.job import FILE
from ops.training.results import Trained
from ops.training.trainings import asset_of

T = TypeVar("T")


@dataclass(frozen=True)
class Recipe:
    """What `job.json` holds of a training. Only what is asked for has to be as this version of soraflow knows it."""

    path: Path
    asset: str
    settings: Document

    @property
    def preset(self) -> str:
        return self._section(str, "name")

    @property
    def seed(self) -> int:
        return self._section(int, "seed")

    @property
    def diffusion(self) -> Diffusion:
        return self._section(Diffusion, "denoiser", "diffusion")

    @property
    def text_encoder(self) -> TextEncoder:
        return self._section(TextEncoder, "text_encoder")

    @property
    def stages(self) -> dict[str, dict[str, JsonValue]]:
        """Asset → the section of its stage, as it is written there."""
        stages = self._section(list[Document], "stages")
        return {asset_of(each["name"], each.get("kind", DEFAULT_KIND)): each for each in stages}

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """Of samples, that the stage was trained on."""
        return self._of_stage(tuple[Kind, ...], "kinds")

    @property
    def validate_samples(self) -> int:
        """How many held-out samples the stage looked at most."""
        return self._of_stage(int, "schedule", "validate_samples")

    @property
    def frames(self) -> int | None:
        """Of the longest videos that the stage was trained on; None for one of images alone."""
        if "video" not in self.kinds:
            return None
        own = self.stages[self.asset].get("dataset")
        changed = own.get("num_frames") if isinstance(own, dict) else None
        return int(str(changed)) if changed else self._section(int, "dataset", "num_frames")

    def _of_stage(self, kind: type[T], *keys: str) -> T:
        return self._section(kind, "stages", f"{self.stages[self.asset]['name']}", *keys)

    def _section(self, kind: type[T], *keys: str) -> T:
        try:
            return TypeAdapter(kind).validate_python(self.written(*keys))
        except ValidationError as error:
            told = "; ".join(f"{'.'.join(map(str, (*keys, *each['loc'])))}: {each['msg']}" for each in error.errors())
            raise ForeignArtifact(
                f"{self.path} was written by another version of soraflow ({told}): train anew"
            ) from error

    def written(self, *keys: str) -> object:
        """A section of the recipe word for word; an item of a list goes by its name."""
        tree: object = self.settings
        for key in keys:
            named = {each["name"]: each for each in tree} if isinstance(tree, list) else tree
            if not isinstance(named, dict) or key not in named:
                raise ForeignArtifact(f"{self.path} was written by another version of soraflow: no {'.'.join(keys)}")
            tree = named[key]
        return tree


def recipe_of(artifact: Artifact[Trained] | Entry) -> Recipe:
    """The recipe of a finished training.

    Raises:
        MissingArtifact: when its file is gone.
    """
    path = artifact.folder / FILE
    if not path.is_file():
        raise MissingArtifact(
            f"{path} is gone, so the settings of this {artifact.asset} are unknown: bring it back, or remove its "
            f"folder and run `soraflow run --select {artifact.asset}`"
        )
    return Recipe(path, artifact.asset, read_json(path)["settings"])
