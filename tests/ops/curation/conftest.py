from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ops.config import merge
from ops.runtime import tables
from ops.runtime.project import Project
from ops.runtime.tables import Row
from ops.steps import CLIP_STEPS, step

RULES = {
    "workers": 1,
    "max_parked_share": 1.0,
    "clips": {"max_seconds": 16},
    "shots": {"min_frames": 12, "short_side": 96},
    "aesthetics": {"scorer": "colourfulness"},
    "technical_quality": {"scorer": "brisque"},
    "rules": {"aesthetic": {"minimum": 5.0}, "technical": {"maximum": 200.0}},
}
"""Fast, and lenient where the synthetic clips are not what a rule is about."""


def recipe(project: Project, curation: dict[str, Any] | None = None, **sources: str | None) -> Project:
    """The project with these sources and rules, its settings read anew."""
    merged = merge(RULES, curation or {})
    tree = {
        "preset": "tiny",
        "sources": {"videos": None, "images": None, "captions": None, **sources},
        "curation": merged,
    }
    (project.root / "params.yaml").write_text(yaml.safe_dump(tree))
    return Project(project.root)


def run(project: Project, *steps: str) -> None:
    for name in steps:
        step(name).load()(project)


def rows_of(project: Project, name: str) -> list[Row]:
    return tables.read(project.table(name))


@pytest.fixture(scope="session")
def film_library(tmp_path_factory: pytest.TempPathFactory, videos) -> Path:
    """One clip of every kind that the funnel has to deal with."""
    folder = tmp_path_factory.mktemp("library") / "films"
    videos.slow_pan(folder / "pan.mp4")
    videos.duplicate(folder / "pan_again.mp4", folder / "pan.mp4")
    videos.still(folder / "still.mp4")
    videos.flicker(folder / "flicker.mp4")
    videos.hard_cut(folder / "cut.mp4", cuts=(30,), frames=60)
    videos.bottom_subtitle(folder / "subtitle.mp4")
    videos.bottom_subtitle(folder / "still_subtitle.mp4", moving=False)
    videos.sixty_fps(folder / "sixty.mp4")
    videos.ten_frames(folder / "ten.mp4")
    videos.odd_sized(folder / "odd.mp4")
    videos.rotated(folder / "rotated.mp4")
    videos.variable_frame_rate(folder / "variable.mkv")
    videos.truncated(folder / "truncated.mp4")
    videos.empty(folder / "empty.mp4")
    videos.audio_only(folder / "sound.mp4")
    videos.zero_frames(folder / "nothing.avi")
    videos.wrong_extension(folder / "letter.mp4")
    (folder / "round").symlink_to(folder)
    (folder / "pan.json").write_text("{broken")
    return folder


@pytest.fixture(scope="module")
def curated(
    tmp_path_factory: pytest.TempPathFactory, film_library: Path, shared_weights: Path, checkout: Path
) -> Iterator[Project]:
    """A project whose clips have been through the whole funnel."""
    import shutil

    root = tmp_path_factory.mktemp("curated")
    shutil.copytree(checkout / "configs", root / "configs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SORAFLOW_WEIGHTS", str(shared_weights))
        project = recipe(Project(root), videos=str(film_library))
        run(project, *CLIP_STEPS)
        yield project


@pytest.fixture(scope="session", name="recipe")
def _recipe() -> Callable[..., Project]:
    return recipe


@pytest.fixture
def helpers() -> dict[str, Callable[..., Any]]:
    return {"recipe": recipe, "run": run, "rows_of": rows_of}
