"""What kinds of videos a recipe may leave out, by what looking at a file has found."""

from __future__ import annotations

from collections.abc import Callable

from ops.catalogue.reasons import Reason
from ops.config import Curation, VideoKind
from ops.curation.rules.reasons import Rejection
from ops.runtime.tables import Row
from ops.runtime.video.colour import HLG, PQ, TRANSFERS

_HDR = (TRANSFERS[PQ], TRANSFERS[HLG])
KINDS: dict[VideoKind, Callable[[Row], str | None]] = {
    "interlaced": lambda row: f"is interlaced ({row['field_order']})" if row["interlaced"] else None,
    "hdr": lambda row: f"is HDR ({row['colour_transfer']})" if _is_hdr(row) else None,
    "wide_gamut": lambda row: f"has the primaries of {row['colour_primaries']}" if _is_wide(row) else None,
    "transparent": lambda row: f"has an alpha channel ({row['pixel_format']})" if row["transparent"] else None,
    "non_square_pixels": lambda row: (
        None
        if row["sample_aspect_ratio"] in (None, 1)
        else f"has pixels {row['sample_aspect_ratio']:.3f} times as wide as high"
    ),
    "variable_frame_rate": lambda row: (
        f"has a variable frame rate ({row['fps']:.2f} a second on average)" if row["variable_frame_rate"] else None
    ),
}
"""What a row of `raw_videos` is told if it is of a kind; null if it is not."""


def excluded(row: Row, curation: Curation) -> Rejection | None:
    """Whether a video is of a kind of `curation.exclude_videos`."""
    for kind in curation.exclude_videos:
        if told := KINDS[kind](row):
            return Rejection(Reason.EXCLUDED_KIND, f"{told}, which curation.exclude_videos leaves out ('{kind}')")
    return None


def _is_hdr(row: Row) -> bool:
    return row["colour_transfer"] in _HDR


def _is_wide(row: Row) -> bool:
    return row["colour_primaries"] in ("bt2020", "smpte431", "smpte432") and not _is_hdr(row)
