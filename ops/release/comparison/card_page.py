"""The page of a single model: its videos first, then its scores, its curve, and the card of a released version."""

from __future__ import annotations

from pathlib import Path

from ops.release import card
from ops.release.comparison.comparison import Comparison
from ops.release.comparison.curve_section import curve_section
from ops.release.comparison.page import facts, score_section, verdict_section, write_page
from ops.release.comparison.scores import score_rows
from ops.release.comparison.subject import Subject
from ops.release.comparison.video_rows import video_section
from ops.release.comparison.videos import VideoPlaces, place_videos
from ops.release.history import CHAMPIONS
from ops.release.registry import Registry
from ops.reports.html_page import image, text
from ops.reports.markdown import as_html
from ops.runtime.project import Project

TOLD_ABOVE = "Scores"
"""The section of the card that the page tells better."""


def write_card(project: Project, found: Subject, path: Path) -> VideoPlaces:
    """Write the page; returns where its videos are.

    Raises:
        MlflowException, OSError: the card of a version is neither in its folder nor in MLflow's store.
    """
    alone = (found,)
    scores = tuple(score_rows(alone))
    told = Comparison(alone, {}, (), (), scores, ())
    places = place_videos(alone, path)
    parts = [
        f"<h1>{text(found.label)}</h1>",
        *facts(alone),
        *verdict_section(_gate(found)),
        *video_section(alone, places, scores, told.metric),
        *score_section(scores, 1),
        *curve_section(alone),
        *_champions(project, found),
        *(as_html(_without_scores(_card(project, found))) if found.version else ()),
    ]
    write_page(path, found.label, parts)
    return places


def _gate(found: Subject) -> list[tuple[str, str]]:
    """What the gate has said of a version, and a person after it."""
    tags = found.version.tags if found.version else {}
    about = {"gate.reasons": f"The gate: {tags.get('gate', '')}", "accepted": "Accepted by a person"}
    return [(words, tags[key]) for key, words in about.items() if key in tags]


def _card(project: Project, found: Subject) -> str:
    assert found.version is not None  # only versions have one
    path = project.root / found.version.folder / card.FILE
    if not path.is_file():
        path = Registry(project).download(found.version, card.FILE)
    return path.read_text(encoding="utf-8")


def _without_scores(markdown: str) -> str:
    """The card from its first paragraph on, without its title and what stands above already."""
    _, _, rest = markdown.partition("\n\n")
    head, *sections = rest.split("\n## ")
    kept = [section for section in sections if section.partition("\n")[0] != TOLD_ABOVE]
    return "\n## ".join(["## What it is\n\n" + head, *kept])


def _champions(project: Project, found: Subject) -> list[str]:
    """The picture of the champions so far, as it was when this one was decided about."""
    path = project.root / found.version.folder / CHAMPIONS if found.version else None
    if path is None or not path.is_file():
        return []
    about = "The scores of the champions so far, by date and version of the dataset"
    return ["<h2>Champions so far</h2>", f"<div class='drawn'>{image(path.read_bytes(), 'png', about)}</div>"]
