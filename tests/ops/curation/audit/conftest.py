"""A small curated project: real films, and tables whose scores are written by hand, so that no scorer runs."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from ops.config import Curation
from ops.curation import tables as schemas
from ops.curation.audit.retention import COLUMNS
from ops.curation.clip import Clip
from ops.curation.rules.rejection import rejection
from ops.runtime import tables
from ops.runtime.files import sha256
from ops.runtime.project import Project

FPS = 24
RULES = {
    "shots": {"min_frames": 25, "max_frames": 512},
    "aesthetics": {"scorer": "colourfulness"},
    "technical_quality": {"scorer": "brisque"},
    "rules": [
        {"score": "motion", "minimum": 0.001, "maximum": 0.3},
        {"score": "aesthetic", "minimum": 12.0},
        {"score": "technical", "maximum": 42.0},
        {"score": "motion_cropped", "minimum": 0.001, "maximum": 0.3},
    ],
}
SCORED = tuple(COLUMNS.values())


@pytest.fixture(scope="session")
def audited_root(tmp_path_factory: pytest.TempPathFactory, videos: ModuleType, checkout: Path) -> Path:
    """Nine clips kept; of six rejected one film is lost, and one clip is too short to have any score."""
    root = tmp_path_factory.mktemp("audited")
    shutil.copytree(checkout / "configs", root / "configs")
    (root / "params.yaml").write_text(
        yaml.safe_dump({"preset": "tiny", "sources": {"videos": "films", "images": None}, "curation": RULES})
    )
    project = Project(root)
    films = root / "films"
    for number in range(8):
        videos.slow_pan(films / f"pan{number}.mp4", seed=20 + number)
    videos.hard_cut(films / "cut.mp4")
    videos.bottom_subtitle(films / "subtitle.mp4")
    videos.still(films / "still.mp4")
    videos.flicker(films / "flicker.mp4")
    videos.ten_frames(films / "ten.mp4")
    sampled = list(range(0, 60, 3))
    jump = {"sampled_frames": sampled, "cut_distances": [0.9 if at == 27 else 0.05 for at in sampled[:-1]]}
    good = {"aesthetic": 30.0, "technical": 25.0}
    rows = [_row(project, f"pan{n}.mp4", motion=0.05, aesthetic=20.0 + 5 * n, technical=30.0 + n) for n in range(6)]
    rows += [
        _row(project, "pan6.mp4", motion=0.06, aesthetic=5.0),
        _row(project, "pan7.mp4", motion=0.07, aesthetic=40.0, technical=50.0),
        _row(project, "cut.mp4", 0, 27, motion=0.05, **good, **jump),
        _row(project, "cut.mp4", 31, 60, motion=0.09, **good, **jump),
        _row(project, "subtitle.mp4", size=(320, 240), crop=[0, 320, 0, 212], motion=0.04, motion_cropped=0.02, **good),
        _row(project, "still.mp4", motion=0.00001),
        _row(project, "flicker.mp4", motion=0.6),
        _row(project, "ten.mp4", 0, 10, gone=("shots", "10 frames between cuts, fewer than 25")),
        _row(project, "lost.mp4", motion=0.05, aesthetic=30.0, gone=("technical_quality", "its worker died twice")),
    ]
    tables.write(project.table("curated_clips"), rows, schemas.NEAR_DUPLICATES)
    _write_what_is_around(project, rows)
    return root


@pytest.fixture
def audited(audited_root: Path, tmp_path: Path) -> Project:
    """A copy of it, to write verdicts into."""
    root = tmp_path / "audited"
    shutil.copytree(audited_root, root)
    return Project(root)


def _row(
    project: Project,
    path: str,
    start: int = 0,
    end: int = 48,
    size: tuple[int, int] = (128, 96),
    gone: tuple[str, str] | None = None,
    **columns: Any,
) -> dict[str, Any]:
    file = project.root / "films" / path
    content = sha256(file) if file.is_file() else "f" * 64
    place = {"start_frame": start, "end_frame": end, "fps": float(FPS), "width": size[0], "height": size[1]}
    row = {"source_id": content[:16], "root": "films", "path": path, "sha256": content, "crop": None, **place}
    row |= {name: columns.get(name) for name in SCORED} | columns
    if row["crop"] is None and row["technical"] is not None:
        row["motion_cropped"] = row["motion"]
    step, reason = gone or _verdict(row, project.settings.curation)
    return {**row, "clip_id": Clip.of(row).id, "parent": content[:16], "rejected_by": step, "reason": reason}


def _verdict(row: dict[str, Any], rules: Curation) -> tuple[str | None, str | None]:
    for step, score in (("motion", "motion"), ("aesthetics", "aesthetic"), ("technical_quality", "technical")):
        if found := rejection(rules, score, row[score]):
            return step, found.text
    return None, None


def _write_what_is_around(project: Project, rows: list[dict[str, Any]]) -> None:
    first = {row["path"]: row for row in rows}.values()
    kept = {"rejected_by": None, "reason": None}
    named = [{key: row[key] for key in ("source_id", "root", "path", "sha256")} | kept for row in first]
    videos = [row | {"frames": 60, "seconds": 2.5, "fps": float(FPS)} for row in named]
    whole = {"start_frame": 0, "end_frame": 60, "fps": float(FPS)}
    slices = [row | whole | {"clip_id": row["source_id"]} for row in named]
    tables.write(project.table("raw_videos"), videos, schemas.RAW_VIDEOS)
    tables.write(project.table("clips"), slices, schemas.CLIPS)
    tables.write(project.table("raw_images"), [], schemas.RAW_IMAGES)
    tables.write(project.table("curated_images"), [], schemas.CURATED_IMAGES)
