"""One of the models that are compared, with all that is known of it from what lies with it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ops.evaluation import protocols
from ops.evaluation.protocol import Protocol
from ops.evaluation.scored_samples import ScoredSamples, ScoredVideo, scored_samples
from ops.generation.parts import Parts
from ops.release.model_name import Model, named
from ops.release.registry import Version
from ops.release.trace import commit_of, trained_settings, trainings
from ops.runtime.artifacts import Artifact, MissingArtifact, find
from ops.runtime.project import Project
from ops.sampling.request import SamplingError
from ops.training.recording.metrics_file import read as read_metrics
from ops.training.recording.mlflow_records import run_of
from ops.training.results import Trained
from ops.weights.results import BASE

NOT_OF_THE_MODEL = frozenset({"evaluation", "release", "automation"})
"""Sections of a recipe that say how a model is judged; by what it was judged, its samples know."""


@dataclass(frozen=True)
class Subject:
    """A model under the name that it was asked for by; `samples` are its newest, None where it was never sampled."""

    project: Project
    name: str
    model: Model
    denoiser: Artifact[Trained]
    samples: ScoredSamples | None

    @property
    def label(self) -> str:
        return self.model.label

    @property
    def parts(self) -> Parts:
        return self.model.parts

    @property
    def version(self) -> Version | None:
        return self.model.version

    @property
    def videos(self) -> tuple[ScoredVideo, ...]:
        return self.samples.videos if self.samples else ()

    @property
    def dataset(self) -> str:
        """The version of the training set."""
        return self.denoiser.results.dataset_version

    @property
    def run(self) -> str:
        """The MLflow run of the training."""
        return run_of(self.denoiser)

    @cached_property
    def settings(self) -> dict[str, Any]:
        """The recipe that it was trained under, and what its samples were made with."""
        trained = trained_settings(trainings(self.project, self.denoiser))
        kept = {key: value for key, value in trained.items() if key not in NOT_OF_THE_MODEL}
        return {**kept, "checkpoint": {"asset": self.parts.denoiser_asset, "step": self.parts.step}}

    @cached_property
    def commit(self) -> str | None:
        return commit_of(self.project, self.run)

    @cached_property
    def curve(self) -> list[dict[str, Any]]:
        """The lines of its training's log, each with its step and figures."""
        return read_metrics(self.denoiser.folder / "metrics.jsonl")

    @property
    def held_out(self) -> float:
        """The held-out loss of the checkpoint."""
        return next(each.metric for each in self.denoiser.results.checkpoints if each.step == self.parts.step)

    @cached_property
    def held_out_protocol(self) -> Protocol:
        return protocols.held_out_loss(self.denoiser)


def subject(project: Project, name: str) -> Subject:
    """The model of a name, as `ops.release.model_name.named` knows it.

    Raises:
        UnknownVersion, MissingArtifact, SamplingError: there is no such model, or its training is gone.
    """
    model = named(project, name)
    parts = model.parts
    if parts.denoiser_asset == BASE:
        raise SamplingError(
            f"'{name}' was not trained here, so that there are no settings and samples of it to compare"
        )
    denoiser = find(project, parts.denoiser_asset, parts.denoiser_version, Trained)
    if denoiser is None:
        raise MissingArtifact(
            f"the training behind '{name}' ({parts.denoiser_asset}, version {parts.denoiser_version}) is gone from "
            f"{project.artifacts}: restore its folder, or name another model"
        )
    found = scored_samples(project, parts.denoiser_asset, parts.denoiser_version, parts.step)
    return Subject(project, name, model, denoiser, next(found, None))


def subjects(project: Project, names: list[str]) -> list[Subject]:
    """Those of several names. Where two are of the same protocol in some of their samples, the newest such are taken,
    so that videos of the same prompts and seeds stand side by side.

    Raises:
        ValueError: two names stand for the same checkpoint.
    """
    found = [subject(project, name) for name in names]
    seen: dict[tuple[str, str, int], str] = {}
    for each in found:
        key = (each.parts.denoiser_asset, each.parts.denoiser_version, each.parts.step)
        if key in seen:
            raise ValueError(f"'{seen[key]}' and '{each.name}' are the same checkpoint, {each.label}: name two models")
        seen[key] = each.name
    return [_of_protocol(each, found[0]) for each in found]


def _of_protocol(found: Subject, first: Subject) -> Subject:
    """With samples that were made as the first model's were, if there are any."""
    if first.samples is None or found.samples is None or found.samples.made == first.samples.made:
        return found
    parts = found.parts
    alike = (
        each
        for each in scored_samples(found.project, parts.denoiser_asset, parts.denoiser_version, parts.step)
        if first.samples is not None and each.made == first.samples.made
    )
    samples = next(alike, found.samples)
    return Subject(found.project, found.name, found.model, found.denoiser, samples)
