"""A project with curated tables made by hand over real little files, so that these tests need no scorer."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import yaml
from PIL import Image

from ops.config import merge
from ops.curation import tables as schemas
from ops.runtime import tables
from ops.runtime.files import sha256
from ops.runtime.project import Project

ROOT = Path(__file__).parents[3]
FPS = 16
PINNED: dict[str, Any] = {
    "curation": {
        "exclude_licences": ["GPL*"],
        "shots": {"min_frames": 32, "max_frames": 512},
        "text_crop": {"max_share": 0.2},
        "aesthetics": {"scorer": "colourfulness"},
        "technical_quality": {"scorer": "niqe"},
        "rules": {
            "motion": {"minimum": 0.001, "maximum": 0.3},
            "aesthetic": {"minimum": 12.0},
            "technical": {"maximum": 9.0},
            "motion_cropped": {"minimum": 0.001, "maximum": 0.3},
        },
    },
    "dataset": {
        "num_frames": 17,
        "min_frames": 9,
        "fps": 8,
        "max_area": 4096,
        "ratios": ["1:1", "3:4", "4:3"],
        "windows_per_clip": 4,
        "held_out_share": 0.25,
        "max_dropped_share": 0.5,
    },
}
"""What these tests count on, whatever becomes of the preset."""


def picture(index: int, height: int = 48, width: int = 64) -> np.ndarray:
    """A frame that tells its index by its red channel and its position by the others."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([np.full_like(rows, index), rows, columns], axis=-1).astype(np.uint8)


def write_video(path: Path, frames: int, height: int = 48, width: int = 64, first: int = 0) -> Path:
    """A lossless film: frame k is `picture(first + k)`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = width, height, "bgr0"
        for index in range(frames):
            frame = av.VideoFrame.from_ndarray(picture(first + index, height, width), format="rgb24")
            container.mux(stream.encode(frame.reformat(format="bgr0")))
        container.mux(stream.encode(None))
    return path


@pytest.fixture
def bare(tmp_path: Path) -> Project:
    """An empty project of preset `tiny`."""
    root = tmp_path / "project"
    shutil.copytree(ROOT / "configs", root / "configs")
    (root / "params.yaml").write_text(yaml.safe_dump({"preset": "tiny", **PINNED}))
    return Project(root)


def source_row(project: Project, path: Path, **columns: Any) -> dict[str, Any]:
    content = sha256(path)
    return {
        "source_id": content[:16],
        "root": str(path.parent.relative_to(project.root)),
        "path": path.name,
        "sha256": content,
        "bytes": path.stat().st_size,
        "licence": "CC0-1.0",
        **columns,
    }


def clip_row(source: dict[str, Any], start: int, end: int, **columns: Any) -> dict[str, Any]:
    keys = ("source_id", "root", "path", "sha256", "licence", "fps", "width", "height")
    return {
        **{key: source[key] for key in keys},
        "clip_id": f"{source['source_id'][:8]}{start:04d}{end:04d}",
        "start_frame": start,
        "end_frame": end,
        **columns,
    }


@pytest.fixture
def curated(bare: Project) -> Project:
    """Three films of 64 frames and four pictures, curated: of each film one clip fell out, of the pictures one."""
    videos, clips, final = [], [], []
    for number in range(3):
        path = write_video(bare.root / "films" / f"film{number}.mkv", 64, first=number)
        captions = [f"The video shows a film with number {number}"]
        size = {"width": 64, "height": 48, "fps": float(FPS), "frames": 64, "seconds": 64 / FPS}
        source = source_row(bare, path, captions=captions, **size)
        videos.append(source)
        clips += [clip_row(source, 0, 32), clip_row(source, 32, 64)]
        final += [_kept_clip(source, number), _rejected_clip(source, number)]
    empty = {**videos[0], "source_id": "f" * 16, "path": "empty.mkv", "sha256": "f" * 64, "captions": []}
    verdict = {"rejected_by": "raw_videos", "reason_code": "empty", "reason": "the file is empty"}
    videos.append({**empty, "frames": 0, "seconds": 0.0, **verdict})
    images = [_image(bare, number) for number in range(4)]
    tables.write(bare.table("raw_videos"), videos, schemas.RAW_VIDEOS)
    tables.write(bare.table("clips"), clips, schemas.CLIPS)
    tables.write(bare.table("curated_clips"), final, schemas.NEAR_DUPLICATES)
    raw = [{k: v for k, v in row.items() if k in schemas.RAW_IMAGES.names} for row in images]
    kept = {"rejected_by": None, "reason_code": None, "reason": None}
    tables.write(bare.table("raw_images"), [{**row, **kept} for row in raw], schemas.RAW_IMAGES)
    tables.write(bare.table("curated_images"), images, schemas.CURATED_IMAGES)
    return bare


def _scored(scorer: str) -> str:
    return json.dumps({"scorer": scorer, "version": "1", "settings": {}})


def _kept_clip(source: dict[str, Any], number: int) -> dict[str, Any]:
    scores = {
        "motion": 0.05 + number / 100,
        "aesthetic": 20.0 + number,
        "technical": 5.0,
        "motion_cropped": 0.06,
    }
    return clip_row(
        source,
        0,
        32,
        crop=[8, 56, 0, 48],
        cut_distances=[0.01, 0.02, 0.1 * number],
        shots_scorer=_scored("lpips-alex"),
        aesthetics_scorer=_scored("colourfulness"),
        technical_quality_scorer=_scored("niqe"),
        perceptual_hash=[hashlib.sha256(f"{number} {frame}".encode()).hexdigest()[:16] for frame in range(4)],
        **scores,
    )


def _rejected_clip(source: dict[str, Any], number: int) -> dict[str, Any]:
    step = ("motion", "aesthetics", "technical_quality")[number]
    scores = {"motion": 0.0001 if number == 0 else 0.1}
    scores |= {"aesthetic": 5.0} if number == 1 else {}
    return clip_row(source, 32, 64, rejected_by=step, reason=f"{step} is out of its limits", **scores)


def _image(project: Project, number: int) -> dict[str, Any]:
    path = project.root / "pictures" / f"picture{number}.png"
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(picture(100 + number, 64, 80)).save(path)
    verdict = {"rejected_by": "curated_images", "reason_code": "low_aesthetics", "reason": "too dull"}
    verdict = verdict if number == 3 else {}
    scores: dict[str, Any] = {"aesthetic": 30.0 - 8 * number, "technical": 4.0 + number}
    scores |= {"aesthetics_scorer": _scored("colourfulness"), "technical_quality_scorer": _scored("niqe")}
    row = source_row(project, path, width=80, height=64, captions=[f"picture number {number}"], **scores)
    return {**row, **verdict}


@pytest.fixture
def set_params(bare: Project) -> Callable[[str], Project]:
    """Write overrides and get the project that reads them."""

    def write(overrides: str) -> Project:
        tree = merge({"preset": "tiny", **PINNED}, yaml.safe_load(overrides))
        (bare.root / "params.yaml").write_text(yaml.safe_dump(tree))
        return Project(bare.root)

    return write
