"""Columns that several tables of the dataset share, and what those of scores have in common."""

from __future__ import annotations

from math import inf

from ops.catalogue import checks
from ops.runtime.columns import Between, Column, ColumnType, Holds, Listed, Matches, OneOf, There

DIGITS = "^[0-9a-f]{16}$"

SOURCE_ID = Column(
    "source_id",
    str,
    "first 16 digits of the source's `sha256`",
    (Matches(DIGITS, "sources are named by 16 digits"),),
)
ROOT = Column("root", str, "the folder of the source, as the recipe names it", (There(),))
PATH = Column(
    "path",
    str,
    "the file, relative to `root`, with forward slashes",
    (There(), Holds("path_stays_below", "paths stay below their root", checks.path_stays_below)),
)
SHA256 = Column(
    "sha256",
    str,
    "hash of the file's content",
    (There(), Matches("^[0-9a-f]{64}$", "a sha256 names the content")),
)
LICENCE = Column(
    "licence", str, "licence of the source; null if nothing names it", (Matches(r"^\S", "a licence has a name"),)
)
WIDTH = Column("width", int, "width in pixels", (There(), Between("pictures have a width", minimum=1)))
HEIGHT = Column("height", int, "height in pixels", (There(), Between("pictures have a height", minimum=1)))
FPS = Column(
    "fps",
    float,
    "frames a second, on average over the whole source",
    (There(), Between("frames follow each other", minimum=1 / 3600)),
)
SECONDS = Column("seconds", float, "how long the frames last", (Between("frames last a while", minimum=1e-4),))
FRAME_TIMES = Column(
    "frame_times",
    list[float],
    "at a variable rate, seconds from the source's first frame to each frame's beginning, and last to the end of the "
    "last one; null at a constant rate",
    (Holds("times_fit", "times at a variable rate are in order, one more than frames", checks.times_fit),),
)
REJECTED_BY = Column(
    "rejected_by",
    str,
    "the step that rejected the row; null if it is kept",
    (Listed("deciders", "a step of the graph rejected it"),),
)
REASON_CODE = Column(
    "reason_code",
    str,
    "why, as a code of the list of [reasons](#reasons); null if it is kept",
    (Listed("reasons", "reasons have a code of the list"),),
)
REASON = Column(
    "reason",
    str,
    "why, in a sentence; null if it is kept",
    (Holds("verdict_is_whole", "a row is kept, or says who rejected it and why", checks.verdict_is_whole),),
)
VERDICT = (REJECTED_BY, REASON_CODE, REASON)
"""What is expected of these holds in every row, kept or not."""
KIND = Column("kind", str, "`video` or `image`", (OneOf(["video", "image"], "items are videos or images"),))


def measured(
    name: str,
    meaning: str,
    scored_by: str,
    *,
    lowest: float = -inf,
    highest: float = inf,
    kind: ColumnType = float,
) -> Column:
    """A column of finite numbers that somebody has measured."""
    return Column(
        name,
        kind,
        meaning,
        (
            Holds(f"{name}_is_finite", f"{name} is a number", checks.are_numbers(name, lowest, highest)),
            Holds(f"{name}_is_told", f"{name} says who measured it", checks.is_told(name, scored_by)),
        ),
        scored_by,
    )
