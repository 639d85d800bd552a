"""Slicing: every video becomes pieces of at most `max_seconds`, by decoded frame index."""

from __future__ import annotations

from ops.curation.clip import Clip
from ops.curation.tables import CLIPS
from ops.runtime import tables
from ops.runtime.project import Project
from ops.runtime.tables import Row


def clips(project: Project) -> None:
    """Write `clips`: the slices of every kept video. Nothing is re-encoded; a slice is two frame numbers."""
    longest = project.settings.curation.clips.max_seconds
    rows = []
    for video in tables.kept(tables.read(project.table("raw_videos"))):
        rows += [_row(video, start, end) for start, end in slices(video["frames"], video["fps"], longest)]
    tables.write(project.table("clips"), rows, CLIPS)


def slices(frames: int, fps: float, max_seconds: float) -> list[tuple[int, int]]:
    """[start, end) of each slice. All but the last are as long as allowed; the last may be short, and the length
    rule of `shots` decides about it."""
    length = max(1, int(max_seconds * fps + 1e-6))
    return [(start, min(start + length, frames)) for start in range(0, frames, length)]


def _row(video: Row, start: int, end: int) -> Row:
    names = ("source_id", "root", "path", "sha256", "licence", "fps", "width", "height")
    clip = Clip(video["sha256"], start, end, None, video["fps"], video["width"], video["height"])
    return {
        **{name: video[name] for name in names},
        **clip.columns(),
        "rejected_by": None,
        "reason": None,
    }
