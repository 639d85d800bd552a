"""The steps that look at sources: what is known of a file once it has been looked at."""

from __future__ import annotations

from ops.catalogue import checks
from ops.catalogue.columns import (
    FPS,
    FRAME_TIMES,
    HEIGHT,
    LICENCE,
    PATH,
    ROOT,
    SECONDS,
    SHA256,
    SOURCE_ID,
    VERDICT,
    WIDTH,
)
from ops.catalogue.declaration import CurationStep
from ops.runtime.columns import Between, Column, Holds, Matches, OneOf, There
from ops.runtime.video.colour import MATRICES, PRIMARIES, RANGES, TRANSFERS

FIELD_ORDERS = ("progressive", "top_first", "bottom_first", "unknown")

_FILE = (
    SOURCE_ID.meaning_here("first 16 digits of `sha256`; of the path's hash if the file cannot be read"),
    ROOT,
    PATH,
    SHA256.meaning_here("hash of the file's content; null if it cannot be read"),
    Column("bytes", int, "size of the file", (Between("files have content", minimum=1),)),
    # any date, and none for one that no number holds
    Column("mtime_ns", int, "when the file was last changed, in nanoseconds since 1970"),
    LICENCE,
)
_CAPTIONS = (
    Column("captions", list[str], "captions that came with the file; may be empty", (There(),)),
    Column(
        "caption_error",
        str,
        "what could not be read of what came with the file: its captions, licence or watermark",
        (Matches(r"\S", "an error of captions says something"),),
    ),
)

RAW_VIDEOS = CurationStep(
    name="raw_videos",
    description="The video files of the source, each decoded once to count its frames. A file that cannot be used "
    "keeps its row, with the reason.",
    about="One row a video file.",
    body="ops.curation.steps.raw_videos:raw_videos",
    settings=("sources.videos", "sources.captions", "exclude_licences", "exclude_videos"),
    columns=(
        *_FILE,
        Column(
            "container",
            str,
            "container format, as the decoder names it",
            (Matches(r"\S", "the container has a name"),),
        ),
        Column("codec", str, "video codec", (Matches(r"\S", "the codec has a name"),)),
        Column(
            "pixel_format",
            str,
            "pixel format as decoded, as FFmpeg names it, such as `yuv420p10le`",
            (Matches(r"\S", "a pixel format has a name"),),
        ),
        WIDTH,
        HEIGHT,
        Column(
            "sample_aspect_ratio",
            float,
            "width of a stored pixel as a multiple of its height; columns are stretched or shrunk by it",
            (Between("pixels have a shape", minimum=0.25, maximum=4),),
        ),
        Column(
            "rotation",
            int,
            "degrees clockwise that the file asks a player to turn it by",
            (OneOf([0, 90, 180, 270], "pictures are turned by right angles"),),
        ),
        Column("mirrored", bool, "whether it is mirrored from left to right before it is turned", (There(),)),
        Column(
            "colour_matrix",
            str,
            "matrix that the file names; null if none: then BT.709 or BT.601, by the size",
            (OneOf([*MATRICES.values()], "H.273 has the matrix"),),
        ),
        Column(
            "colour_primaries",
            str,
            "primaries that the file names; null if none",
            (OneOf([*PRIMARIES.values()], "H.273 has the primaries"),),
        ),
        Column(
            "colour_transfer",
            str,
            "transfer that the file names (`smpte2084` is PQ, `arib-std-b67` is HLG); null if none",
            (OneOf([*TRANSFERS.values()], "H.273 has the transfer"),),
        ),
        Column(
            "colour_range",
            str,
            "`limited` or `full`, as the file says; null if it does not: then limited for YUV",
            (OneOf([*RANGES.values()], "there are two ranges"),),
        ),
        Column("interlaced", bool, "whether there are interlaced frames, which are deinterlaced", (There(),)),
        Column(
            "field_order",
            str,
            "`progressive`, or which field comes first: `top_first`, `bottom_first`, `unknown`",
            (OneOf([*FIELD_ORDERS], "one of two fields comes first, or it is not known"),),
        ),
        Column(
            "transparent", bool, "whether there is an alpha channel; what is transparent is laid on white", (There(),)
        ),
        FPS,
        Column("variable_frame_rate", bool, "whether the distance between frames varies", (There(),)),
        FRAME_TIMES,
        Column(
            "frames",
            int,
            "frames that were really decoded",
            (There(), Between("something was decoded", minimum=1)),
        ),
        SECONDS,
        Column(
            "seek_points",
            list[list[int]],
            "where decoding can begin, at key frames 2 s and more apart: decoded index and time stamp of each",
            (Holds("seek_points_rise", "points to seek to rise in frame and in time", checks.seek_points_rise),),
        ),
        *_CAPTIONS,
        *VERDICT,
    ),
)

RAW_IMAGES = CurationStep(
    name="raw_images",
    description="The image files of the source. A file that cannot be used keeps its row, with the reason.",
    about="One row an image file.",
    body="ops.curation.steps.raw_images:raw_images",
    settings=("sources.images", "sources.captions", "exclude_licences"),
    columns=(
        *_FILE,
        WIDTH,
        HEIGHT,
        Column(
            "collection",
            str,
            "`captioned`, `text` or `people`: which rules the image is under",
            (OneOf(["captioned", "text", "people"], "there are three collections"),),
        ),
        Column(
            "watermark",
            float,
            "how probable a watermark is, 0 to 1, as what came with the file says; null if it says nothing",
            (Between("a watermark's score is a share", minimum=0, maximum=1),),
        ),
        *_CAPTIONS,
        *VERDICT,
    ),
)
