"""Writes docs/data_contract.md: every column of every table, from the schemas and the dictionary in the code.

Run `python docs/data_contract.py` after changing a schema; a test compares the file with what this prints.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from ops.curation import tables as curation
from ops.curation.rules.reasons import MEANINGS as MEANINGS_OF_REASONS
from ops.curation.rules.reasons import Reason
from ops.data import captions, latents, samples, text_embeddings
from ops.data.dictionary import meaning, type_name

PAGE = Path(__file__).with_name("data_contract.md")

INTRODUCTION = """\
# Tables and columns

Made by `python docs/data_contract.py` from the schemas in the code; do not edit it by hand. [data.md](data.md) says how
to read rows, frame numbers, times and scores.
"""

REASONS = """\
Every `reason_code` of the tables above. One bad input costs its own row only: it is looked at in another process
that is killed after `curation.time_limit_seconds` (`too_slow`), cannot hold more data than `curation.memory_limit_gib`
(`out_of_memory`), and may end by itself (`crashed`). What ends in one of these three ways, or with an error (`failed`),
is tried `curation.max_attempts` times, and then parked: [interruptions.md](interruptions.md) says when it is tried
again, and how to ask for that."""


@dataclass(frozen=True)
class Table:
    """`base` is the table whose columns this one has, too."""

    name: str
    path: str
    schema: pa.Schema
    about: str
    base: str | None = None


CHAPTERS = {
    "Curation": (
        Table("raw_videos", "data/raw_videos.parquet", curation.RAW_VIDEOS, "One row a video file."),
        Table(
            "clips",
            "data/clips.parquet",
            curation.CLIPS,
            "One row a slice of at most `curation.clips.max_seconds`.",
        ),
        Table(
            "shots",
            "data/shots.parquet",
            curation.SHOTS,
            "Slices split at jump cuts: several rows may share a `parent`.",
            "clips",
        ),
        Table("motion", "data/motion.parquet", curation.MOTION, "Shots with their motion.", "shots"),
        Table(
            "text_crop",
            "data/text_crop.parquet",
            curation.TEXT_CROP,
            "`crop` is set here, and with it `clip_id` becomes that of the cropped clip.",
            "motion",
        ),
        Table(
            "aesthetics",
            "data/aesthetics.parquet",
            curation.AESTHETICS,
            "Clips with an aesthetic score.",
            "text_crop",
        ),
        Table(
            "technical_quality",
            "data/technical_quality.parquet",
            curation.TECHNICAL_QUALITY,
            "Clips with a technical score.",
            "aesthetics",
        ),
        Table(
            "safety",
            "data/safety.parquet",
            curation.SAFETY,
            "Clips with a safety score, if `curation.safety.enabled` asks for one.",
            "technical_quality",
        ),
        Table(
            "motion_recheck",
            "data/motion_recheck.parquet",
            curation.MOTION_RECHECK,
            "Motion again, on the cropped clip.",
            "safety",
        ),
        Table(
            "near_duplicates",
            "data/near_duplicates.parquet",
            curation.NEAR_DUPLICATES,
            "Of clips that show the same, only the one with the most pixels is kept, or else the longest. Two do if "
            "their hashes differ in at most `curation.near_duplicates.max_distance` bits of 64, in every frame that is "
            "hashed: a film in another size or encoding is found; a mirrored or otherwise cropped one, or one cut at "
            "another place, is not. `curation.near_duplicates.enabled=false` leaves them all in.",
            "motion_recheck",
        ),
        Table(
            "curated_clips",
            "data/curated_clips.parquet",
            curation.NEAR_DUPLICATES,
            "All clips with all scores and the final decision; guarded by a blocking check.",
            "near_duplicates",
        ),
        Table("raw_images", "data/raw_images.parquet", curation.RAW_IMAGES, "One row an image file."),
        Table(
            "curated_images",
            "data/curated_images.parquet",
            curation.CURATED_IMAGES,
            "Images with their scores and the final decision. Of pictures whose hashes differ in at most "
            "`curation.near_duplicates.max_distance` bits only the one with the most pixels is kept.",
            "raw_images",
        ),
    ),
    "Captions and training set": (
        Table(
            "captions",
            "data/captions.parquet",
            captions.SCHEMA,
            "One row a kept clip or image; guarded by a blocking check.",
        ),
        Table(
            "training_set",
            "data/training_set/samples.parquet",
            samples.SAMPLES,
            "One row a sample, which is what a training step reads; guarded by a blocking check.",
        ),
        Table(
            "buckets",
            "data/training_set/buckets.parquet",
            samples.BUCKETS,
            "One row a bucket and split, and one row a kind and reason for items that fit no bucket.",
        ),
    ),
    "Caches": (
        Table(
            "latents",
            "var/artifacts/latents/<fingerprint>/index.parquet",
            latents.INDEX,
            "One row a sample. Its shard holds `<sample_id>.mean` and `<sample_id>.log_variance`, float32 "
            "[C, t, h, w].",
        ),
        Table(
            "text_embeddings",
            "var/artifacts/text_embeddings/<fingerprint>/index.parquet",
            text_embeddings.INDEX,
            "One row a caption, and one for the empty caption. Its shard holds `<key>`, [tokens, width].",
        ),
    ),
}


def page() -> str:
    """The whole of docs/data_contract.md.

    Raises:
        KeyError: a column has no meaning yet.
    """
    parts = [INTRODUCTION]
    known = {table.name: table for tables in CHAPTERS.values() for table in tables}
    for chapter, tables in CHAPTERS.items():
        parts.append(f"## {chapter}\n")
        parts += [_section(table, known) for table in tables]
        if chapter == "Curation":
            parts.append(_reasons())
    return "\n".join(parts).rstrip() + "\n"


def _reasons() -> str:
    rows = [f"| `{reason}` | {MEANINGS_OF_REASONS[reason]} |" for reason in Reason]
    return "\n".join(["### Reasons\n", REASONS, "", "| code | meaning |", "|---|---|", *rows, ""])


def _section(table: Table, known: dict[str, Table]) -> str:
    inherited = known[table.base].schema.names if table.base else []
    lines = [f"### {table.name}\n", f"`{table.path}`. {table.about}", ""]
    added = [field for field in table.schema if field.name not in inherited]
    if table.base:
        lines += [f"The columns of [{table.base}](#{table.base})" + (", and:" if added else "."), ""]
    if added:
        rows = [f"| `{field.name}` | {type_name(field.type)} | {meaning(table.name, field.name)} |" for field in added]
        lines += ["| column | type | meaning |", "|---|---|---|", *rows, ""]
    return "\n".join(lines)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
