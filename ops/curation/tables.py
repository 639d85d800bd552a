"""The columns of the curation tables. Every table keeps all its rows: `rejected_by` is null for those kept."""

from __future__ import annotations

import pyarrow as pa

_TEXT, _INT, _FLOAT = pa.string(), pa.int64(), pa.float64()
_TEXTS, _INTS, _FLOATS = pa.list_(_TEXT), pa.list_(_INT), pa.list_(_FLOAT)
_VERDICT = [("rejected_by", _TEXT), ("reason_code", _TEXT), ("reason", _TEXT)]  # codes: ops/curation/rules/reasons.py

_LICENCE = ("licence", _TEXT)  # of the source; null where nothing names it
_FILE = [
    ("source_id", _TEXT),  # the first 16 digits of the content's sha256; of the path's, if it cannot be read
    ("root", _TEXT),
    ("path", _TEXT),
    ("sha256", _TEXT),
    ("bytes", _INT),
    ("mtime_ns", _INT),
    _LICENCE,
]
_CAPTIONS = [("captions", _TEXTS), ("caption_error", _TEXT)]
_COLLECTION = [("collection", _TEXT), ("watermark", _FLOAT)]

RAW_VIDEOS = pa.schema(
    [
        *_FILE,
        ("container", _TEXT),
        ("codec", _TEXT),
        ("pixel_format", _TEXT),  # as decoded
        ("width", _INT),  # of the upright picture with square pixels
        ("height", _INT),
        ("sample_aspect_ratio", _FLOAT),  # width of a stored pixel over its height
        ("rotation", _INT),  # degrees clockwise that the file asks a player for,
        ("mirrored", pa.bool_()),  # after it was mirrored from left to right
        ("colour_matrix", _TEXT),  # as the file says, as H.273 and FFmpeg name them; null is nothing
        ("colour_primaries", _TEXT),
        ("colour_transfer", _TEXT),
        ("colour_range", _TEXT),
        ("interlaced", pa.bool_()),  # any frame
        ("field_order", _TEXT),
        ("transparent", pa.bool_()),  # has an alpha channel
        ("fps", _FLOAT),
        ("variable_frame_rate", pa.bool_()),
        ("frame_times", _FLOATS),  # of frames at a variable rate: see ops/curation/timeline.py
        ("frames", _INT),  # decoded, not announced
        ("seconds", _FLOAT),
        ("seek_points", pa.list_(_INTS)),  # of key frames, 2 s and more apart: [decoded index, time stamp in ticks]
        *_CAPTIONS,
        *_VERDICT,
    ]
)

RAW_IMAGES = pa.schema([*_FILE, ("width", _INT), ("height", _INT), *_COLLECTION, *_CAPTIONS, *_VERDICT])

CURATED_IMAGES = pa.schema(
    [
        *RAW_IMAGES,
        ("aesthetic", _FLOAT),
        ("aesthetics_scorer", _TEXT),
        ("technical", _FLOAT),
        ("technical_quality_scorer", _TEXT),
        ("safety", _FLOAT),
        ("safety_scorer", _TEXT),
        ("text_lines", _TEXT),  # of the collection `text` only
        ("recognised_text", _TEXTS),
        ("recognised_text_scorer", _TEXT),
        ("perceptual_hash", _TEXTS),  # one
        ("near_duplicates_scorer", _TEXT),
        ("duplicate_of", _TEXT),  # source_id of the better picture that shows the same, or null
    ]
)

CLIPS = pa.schema(
    [
        ("clip_id", _TEXT),
        ("source_id", _TEXT),
        ("root", _TEXT),
        ("path", _TEXT),
        ("sha256", _TEXT),
        _LICENCE,
        ("start_frame", _INT),  # decoded index
        ("end_frame", _INT),  # exclusive
        ("seconds", _FLOAT),  # from the first frame's beginning to the last one's end
        ("frame_times", _FLOATS),  # the source's, of these frames
        ("fps", _FLOAT),
        ("width", _INT),
        ("height", _INT),
        ("crop", _INTS),  # [x0, x1, y0, y1] in pixels of the upright frame, or null
        *_VERDICT,
    ]
)
SHOTS = pa.schema(
    [
        *CLIPS,
        ("parent", _TEXT),  # clip_id of the slice
        ("sampled_frames", _INTS),  # of the slice: n + 1 decoded indices
        ("cut_distances", _FLOATS),  # of the slice: the n LPIPS distances between them
        ("shots_scorer", _TEXT),
        ("cut_probabilities", _FLOATS),  # of the slice: the most probable boundary between each two of them, or null
        ("shot_boundaries_scorer", _TEXT),
    ]
)
MOTION = pa.schema([*SHOTS, ("motion", _FLOAT), ("motion_scorer", _TEXT)])
TEXT_CROP = pa.schema([*MOTION, ("text_boxes", _TEXT), ("central_text", _FLOAT), ("text_crop_scorer", _TEXT)])
AESTHETICS = pa.schema([*TEXT_CROP, ("aesthetic", _FLOAT), ("aesthetics_scorer", _TEXT)])
TECHNICAL_QUALITY = pa.schema(
    [
        *AESTHETICS,
        ("technical", _FLOAT),
        ("technical_scaled", _FLOAT),  # of DOVER only
        ("technical_quality_scorer", _TEXT),
    ]
)
SAFETY = pa.schema([*TECHNICAL_QUALITY, ("safety", _FLOAT), ("safety_scorer", _TEXT)])
MOTION_RECHECK = pa.schema([*SAFETY, ("motion_cropped", _FLOAT), ("motion_recheck_scorer", _TEXT)])
NEAR_DUPLICATES = pa.schema(
    [
        *MOTION_RECHECK,
        ("perceptual_hash", _TEXTS),  # of frames spread over the clip
        ("near_duplicates_scorer", _TEXT),
        ("duplicate_of", _TEXT),  # clip_id of the better clip that shows the same, or null
    ]
)
