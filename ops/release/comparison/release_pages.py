"""The pages of a decision about a candidate: its card, and the comparison with the champion that it stood against."""

from __future__ import annotations

from ops.release.comparison.attach import attach
from ops.release.comparison.card_page import write_card
from ops.release.comparison.comparison import compare
from ops.release.comparison.page import write_comparison
from ops.release.comparison.subject import subject
from ops.release.registry import CHAMPION, PREVIOUS, Registry, Version
from ops.release.results import ReleaseResults
from ops.runtime.artifacts import Artifact, MissingArtifact
from ops.runtime.project import Project

CARD, COMPARISON = "card.html", "comparison.html"


def release_pages(project: Project, release: Artifact[ReleaseResults]) -> dict[str, str]:
    """Write both pages into the release's folder and attach them to MLflow; returns what each is called and where
    MLflow shows it. Without an earlier champion there is no comparison, and no page of a model whose training is gone.

    Raises:
        MlflowException, OSError: the store is away.
    """
    number, shown = str(release.results.version), dict[str, str]()
    other = _opponent(Registry(project), release.results)
    try:
        found = subject(project, number)
        card = release.folder / CARD
        shown["card"] = attach(project, found, card, write_card(project, found, card).folder)
        if other is not None:
            compared, page = compare(project, [str(other.number), number]), release.folder / COMPARISON
            shown[f"comparison with version {other.number}"] = attach(
                project, found, page, write_comparison(compared, page).folder
            )
    except MissingArtifact as error:
        print(f"a page of version {number} is left out: {error}", flush=True)
    return shown


def _opponent(registry: Registry, results: ReleaseResults) -> Version | None:
    """The champion that a candidate stood against: that before it, if it took the place."""
    found = registry.aliased(PREVIOUS if results.promoted else CHAMPION)
    return None if found is None or found.number == results.version else found
