"""Made models that `compare` knows by name: neither a registry nor a VAE is here."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ops.evaluation.scored_samples import scored_samples
from ops.release.comparison import comparison as comparisons
from ops.release.comparison.subject import Subject
from ops.release.model_name import Model
from ops.release.registry import Version
from ops.runtime.artifacts import find
from ops.runtime.project import Project
from ops.training.results import Trained


@pytest.fixture
def models(project: Project, made_models):
    return made_models(project, with_videos=True)


@pytest.fixture
def named(project: Project, monkeypatch: pytest.MonkeyPatch):
    """Lets `compare` know made models by these names."""

    def known(**versions: Version) -> None:
        def subjects(_: Project, names: list[str]) -> list[Subject]:
            return [of(project, name, versions[name]) for name in names]

        monkeypatch.setattr(comparisons, "subjects", subjects)

    return known


@pytest.fixture(scope="session")
def subject_of() -> Callable[[Project, str, Version], Subject]:
    return of


def of(project: Project, name: str, version: Version) -> Subject:
    parts = version.parts
    denoiser = find(project, parts.denoiser_asset, parts.denoiser_version, Trained)
    assert denoiser is not None
    samples = next(scored_samples(project, parts.denoiser_asset, parts.denoiser_version, parts.step), None)
    found = Subject(project, name, Model(parts, f"model {name}"), denoiser, samples)
    found.__dict__["commit"] = "a" * 40 if name == "one" else "b" * 40  # of the MLflow run, which is not here
    return found
