"""Slicing: every video becomes pieces of at most `max_seconds`, by the time stamps of its frames."""

from __future__ import annotations

from ops.catalogue import CurationStep
from ops.curation.clip import Clip
from ops.curation.timeline import Timeline, Times, cut_times
from ops.runtime import tables
from ops.runtime.project import Project
from ops.runtime.tables import Row

SHARED = ("source_id", "root", "path", "sha256", "licence", "fps", "width", "height")
"""What a slice has of its video."""
OF_VIDEO = (*SHARED, "frames", "frame_times")


def clips(project: Project, step: CurationStep) -> None:
    """Write `clips`: the slices of every kept video. Nothing is re-encoded; a slice is two frame numbers."""
    longest, schema = project.settings.curation.clips.max_seconds, step.table.schema
    videos = tables.kept_rows(project.table(step.input), OF_VIDEO)
    parts = (tables.of_rows((row for video in some for row in _rows(video, longest)), schema) for some in videos)
    tables.write_parts(project.table(step.name), parts, schema)


def slices(frames: int, fps: float, max_seconds: float, times: Times | None = None) -> list[tuple[int, int]]:
    """[start, end) of each slice. All but the last are as long as allowed; the last may be short, and the length
    rule of `shots` decides about it."""
    return Timeline(0, frames, fps, times).slices(max_seconds)


def _rows(video: Row, longest: float) -> list[Row]:
    spans = slices(video["frames"], video["fps"], longest, video["frame_times"])
    return [_row(video, start, end) for start, end in spans]


def _row(video: Row, start: int, end: int) -> Row:
    times = cut_times(video["frame_times"], start, end)
    clip = Clip(video["sha256"], start, end, None, video["fps"], video["width"], video["height"], times)
    return {
        **{name: video[name] for name in SHARED},
        **clip.columns(),
        "rejected_by": None,
        "reason": None,
    }
