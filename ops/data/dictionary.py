"""What every column of every table means, in words: what docs/data_contract.md and the Dagster page say of it."""

from __future__ import annotations

import pyarrow as pa

from ops.steps import CLIP_STEPS

MEANINGS = {
    "source_id": "first 16 digits of the source's `sha256`",
    "root": "the folder of the source, as the recipe names it",
    "path": "the file, relative to `root`, with forward slashes",
    "sha256": "hash of the file's content",
    "bytes": "size of the file",
    "mtime_ns": "when the file was last changed, in nanoseconds since 1970",
    "container": "container format, as the decoder names it",
    "codec": "video codec",
    "width": "width in pixels",
    "height": "height in pixels",
    "pixel_format": "pixel format as decoded, as FFmpeg names it, such as `yuv420p10le`",
    "sample_aspect_ratio": "width of a stored pixel as a multiple of its height; columns are stretched or shrunk by it",
    "rotation": "degrees clockwise that the file asks a player to turn it by",
    "mirrored": "whether it is mirrored from left to right before it is turned",
    "colour_matrix": "matrix that the file names; null if none: then BT.709 or BT.601, by the size",
    "colour_primaries": "primaries that the file names; null if none",
    "colour_transfer": "transfer that the file names (`smpte2084` is PQ, `arib-std-b67` is HLG); null if none",
    "colour_range": "`limited` or `full`, as the file says; null if it does not: then limited for YUV",
    "interlaced": "whether there are interlaced frames, which are deinterlaced",
    "field_order": "`progressive`, or which field comes first: `top_first`, `bottom_first`, `unknown`",
    "transparent": "whether there is an alpha channel; what is transparent is laid on white",
    "fps": "frames a second, on average over the whole source",
    "variable_frame_rate": "whether the distance between frames varies",
    "frame_times": "at a variable rate, seconds from the source's first frame to each frame's beginning, and last to "
    "the end of the last one; null at a constant rate",
    "frames": "frames that were really decoded",
    "seconds": "how long the frames last",
    "seek_points": "where decoding can begin, at key frames 2 s and more apart: decoded index and time stamp of each",
    "licence": "licence of the source; null if nothing names it",
    "collection": "`captioned`, `text` or `people`: which rules the image is under",
    "watermark": "how probable a watermark is, 0 to 1, as what came with the file says; null if it says nothing",
    "captions": "captions that came with the file; may be empty",
    "caption_error": "what could not be read of what came with the file: its captions, licence or watermark",
    "rejected_by": "the step that rejected the row; null if it is kept",
    "reason_code": "why, as a code of the list of [reasons](#reasons); null if it is kept",
    "reason": "why, in a sentence; null if it is kept",
    "clip_id": "16 digits that name what the clip shows: hash of content, frames and crop",
    "start_frame": "first frame",
    "end_frame": "frame after the last",
    "crop": "[x0, x1, y0, y1] of what is used, ends exclusive; null means all of it",
    "parent": "`clip_id` of the slice that this is a piece of",
    "sampled_frames": "frames of the slice that `cut_distances` compares, n + 1 of them",
    "cut_distances": "LPIPS (or `picture-change`) from each sampled frame of the slice to the next, n of them",
    "cut_probabilities": "the most probable end of a shot, 0 to 1, between each two `sampled_frames` of the slice; "
    "null unless `curation.shot_boundaries` is on",
    "shot_boundaries_scorer": "JSON: scorer, version and settings of `cut_probabilities`",
    "shots_scorer": "JSON: scorer, version and settings of `cut_distances`",
    "motion": "mean of the `cut_distances` that lie within the shot",
    "motion_scorer": "JSON: scorer, version and settings of `motion`",
    "text_boxes": "JSON: for each frame looked at, the boxes of text [x0, x1, y0, y1]",
    "central_text": "largest share of a frame under text that no allowed crop removes",
    "text_crop_scorer": "JSON: scorer, version and settings of `text_boxes`",
    "aesthetic": "aesthetic score, higher is better; its scale is the scorer's",
    "aesthetics_scorer": "JSON: scorer, version and settings of `aesthetic`",
    "technical": "technical quality; for `dover` higher is better, for every other scorer lower",
    "technical_scaled": "DOVER's `technical` in standard deviations from the mean of KoNViD-1k, as its authors compare "
    "scores: (`technical` - 0.1107) / 0.07355; null for other scorers",
    "technical_quality_scorer": "JSON: scorer, version and settings of `technical`",
    "safety": "how probably it may be shown at work, 0 to 1, of a clip the least of its frames; null unless "
    "`curation.safety` is on",
    "safety_scorer": "JSON: scorer, version and settings of `safety`",
    "text_lines": "JSON: lines of text in a picture of the collection `text`: `text`, `confidence` (0 to 1), `box`",
    "recognised_text": "the texts of those lines that were read surely enough, in reading order",
    "recognised_text_scorer": "JSON: scorer, version and settings of `text_lines`",
    "motion_cropped": "`motion`, measured inside `crop`",
    "motion_recheck_scorer": "JSON: scorer, version and settings of `motion_cropped`",
    "perceptual_hash": "hashes of frames spread over the clip, 16 hexadecimal digits each; one of a picture",
    "near_duplicates_scorer": "JSON: scorer, version and settings of `perceptual_hash`",
    "duplicate_of": "`clip_id` of the better clip (`source_id` of the better picture) that shows the same, or null",
    "item_id": "what it belongs to: `clip_id` of a clip, `source_id` of an image",
    "kind": "`video` or `image`",
    "caption": "the caption",
    "captioner": "JSON: who wrote it (for `endpoint` and `transformers` with the model and the version of the prompts)",
    "origin": "name of the captioner",
    "input_tokens": "tokens that the model was given, pictures included; null if nothing says it",
    "output_tokens": "tokens that the model wrote; null if nothing says it",
    "cost": "of the two, by `captions.requests.input_price` and `output_price`; null without prices",
    "note": "what was changed, such as a cut to the longest length allowed",
    "sample_id": "16 digits: hash of item, frames and bucket",
    "split": "`train` or `held_out`; a source is never in both",
    "bucket": "frames x height x width of its samples, such as `17x48x64`",
    "frame_indices": "frames of the source that make the sample, in order; [0] for an image",
    "samples": "samples in the bucket",
    "items": "clips or images that they come from, or that were dropped",
    "enlarged": "samples that are smaller than the bucket and have to be enlarged",
    "kept_share": "share of their pictures that the crop to the bucket's shape keeps, on average",
    "least_kept_share": "the same of the sample that loses most",
    "dropped": "`item_id` of each item dropped for `reason`",
    "shard": "the safetensors file, beside the index",
    "shape": "shape of the latent: channels, frames, height, width",
    "key": "name of the tensor: first 32 digits of the caption's sha256",
    "tokens": "tokens of the caption, as encoded",
    "cleaned": "what the encoder was given in its place, where cleaning changes it",
    "truncated": "whether the caption was longer than the encoder reads",
}

SPECIAL = {
    ("raw_videos", "source_id"): "first 16 digits of `sha256`; of the path's hash if the file cannot be read",
    ("raw_images", "source_id"): "first 16 digits of `sha256`; of the path's hash if the file cannot be read",
    ("raw_videos", "sha256"): "hash of the file's content; null if it cannot be read",
    ("raw_images", "sha256"): "hash of the file's content; null if it cannot be read",
    ("clips", "width"): "width of the source, before the crop",
    ("clips", "height"): "height of the source, before the crop",
    ("training_set", "frames"): "frames of the bucket",
    ("training_set", "aesthetics_scorer"): "name of the scorer of `aesthetic`",
    ("training_set", "technical_quality_scorer"): "name of the scorer of `technical`",
    ("training_set", "height"): "height of the bucket",
    ("training_set", "width"): "width of the bucket",
    ("buckets", "bucket"): "frames x height x width, such as `17x48x64`; null in rows of dropped items",
    ("buckets", "reason"): "why the items fit no bucket; null in rows of buckets",
}
"""Where a column means something else than under the same name elsewhere; of `clips`, in all tables of clips."""


def meaning(table: str, column: str) -> str:
    """What a column of a table holds.

    Raises:
        KeyError: the column has no meaning yet.
    """
    table = "clips" if table in CLIP_STEPS[1:] else table
    return SPECIAL.get((table, column)) or MEANINGS[column]


def type_name(kind: pa.DataType) -> str:
    """A type for people: `text`, `integer`, `list of floats`."""
    names = {"double": "float", "int64": "integer", "bool": "true or false", "string": "text"}
    if not pa.types.is_list(kind):
        return names.get(str(kind), str(kind))
    inner = type_name(kind.value_type)
    return f"list of {inner.replace('list', 'lists', 1) if inner.startswith('list') else f'{inner}s'}"
