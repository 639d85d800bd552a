"""The videos of a page: within it as long as they are small together, else as files beside it."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from ops.release.comparison.subject import Subject
from ops.runtime.files import replacing

LARGEST_INSIDE = 24_000_000
"""Bytes of all videos together that are put into a page; base64 makes 32 MB of them."""


@dataclass(frozen=True)
class VideoPlaces:
    """`sources` maps the sha256 of each video to what a page names it by; `folder` holds the files beside the page,
    None where all are within it."""

    sources: dict[str, str]
    folder: Path | None


def place_videos(subjects: Sequence[Subject], page: Path, most: int = LARGEST_INSIDE) -> VideoPlaces:
    """Bring the models' videos into a page, or beside it into the folder `PAGE_videos`. A file that is gone has no
    source."""
    videos = [video for each in subjects for video in each.videos]
    there = {video.sha256: video.path for video in videos if video.path.is_file()}
    folder = page.with_name(f"{page.stem}_videos")
    if sum(path.stat().st_size for path in there.values()) <= most:
        shutil.rmtree(folder, ignore_errors=True)
        encoded = {content: base64.b64encode(path.read_bytes()).decode() for content, path in there.items()}
        return VideoPlaces({content: f"data:video/mp4;base64,{text}" for content, text in encoded.items()}, None)
    folder.mkdir(parents=True, exist_ok=True)
    for content, path in there.items():
        with replacing(folder / f"{content}.mp4") as temporary:
            shutil.copyfile(path, temporary)
    return VideoPlaces({content: f"{quote(folder.name)}/{content}.mp4" for content in there}, folder)
