"""What has become of a release: the registry is asked, for people move aliases and remove versions there."""

from __future__ import annotations

from dataclasses import dataclass

from ops.release.registry import CHAMPION, Registry
from ops.release.results import ReleaseResults
from ops.runtime.artifacts import Artifact
from ops.runtime.project import Project


@dataclass(frozen=True)
class Standing:
    """`sentence` is what the registry says now, with the remedy; `as_decided` whether the decision still holds."""

    sentence: str
    as_decided: bool


def standing(project: Project, release: Artifact[ReleaseResults]) -> Standing:
    """The standing of the version that a release registered.

    It is not put right here: an alias that was taken away, or moved by `soraflow rollback`, is a person's word.
    """
    registry, number = Registry(project), release.results.version
    versions = registry.versions()
    champion = next((version.number for version in versions if CHAMPION in version.aliases), None)
    if number not in [version.number for version in versions]:
        remedy = f"`soraflow run --select {project.named('champion')}` registers it anew"
        return Standing(f"version {number} is in the registry of {registry.model} no more: {remedy}", False)
    if champion == number:
        return Standing(f"version {number} is champion", release.results.promoted)
    if champion is not None:
        return Standing(f"version {champion} is champion, not version {number}", not release.results.promoted)
    remedy = f'`soraflow accept {registry.called(number)} --reason "…"` gives it to version {number}'
    return Standing(f"no version holds the alias '{CHAMPION}' now: {remedy}", not release.results.promoted)
