"""The suites: for each kind of data, a table of what is checked and the expectations of it.

Rules over several tables become columns of that table first, so that a failure can name its rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from models.geometry import PIXELS_PER_TOKEN, fits_latents
from ops.catalogue import SCORES
from ops.catalogue.checks import is_hash, is_inside, stays_below
from ops.config import Settings
from ops.curation.rules.jump_cuts import counted_frames
from ops.curation.steps.near_duplicates import originals
from ops.curation.tables import NEAR_DUPLICATES
from ops.data.captioning.text import MAX_CHARACTERS
from ops.data.columns import CAPTIONS, TRAINING_SET
from ops.data.gx_expectations import between, expectations_of, matches, there, true, unique, with_checks
from ops.data.samples import training_samples
from ops.runtime import tables
from ops.runtime.licences import pattern_against
from ops.runtime.project import Project

if TYPE_CHECKING:
    import pandas as pd
    from great_expectations.expectations import Expectation as GxExpectation


@dataclass(frozen=True)
class Suite:
    """`frame` gathers the rows, `expectations` says what must hold, `id` names a row, `measured` is summarised."""

    id: str
    frame: Callable[[Project], pd.DataFrame]
    expectations: Callable[[Settings], list[GxExpectation]]
    measured: tuple[str, ...]


def _clips_frame(project: Project) -> pd.DataFrame:
    """Kept clips, with the decoded frames of their source and the share of the picture that the crop leaves."""
    decoded = _decoded_frames(project)
    rows = tables.kept(tables.read(project.table("curated_clips")))
    for row in rows:
        row["is_whole"] = all(row[name] for name in ("end_frame", "fps", "width", "height", "path"))
        row["is_whole"] &= row["start_frame"] is not None
        row["crop_is_inside"] = row["is_whole"] and is_inside(row["crop"], row["width"], row["height"])
        row["licence_is_admitted"] = _admitted(project, row)
        if not row["is_whole"]:
            continue
        x0, x1, y0, y1 = row["crop"] if row["crop"] and row["crop_is_inside"] else (0, row["width"], 0, row["height"])
        row["source_frames"] = decoded.get(row["source_id"], 0)
        row["frames"] = row["end_frame"] - row["start_frame"]
        row["counted_frames"] = counted_frames(
            row["frames"], row["fps"], project.settings.curation.shots, row["frame_times"]
        )
        row["crop_share"] = min((x1 - x0) / row["width"], (y1 - y0) / row["height"])
        row["path_stays_below"] = stays_below(row["path"])
    placed = [row for row in rows if row["crop_is_inside"] and row["perceptual_hash"]]
    hashed = [row for row in placed if all(map(is_hash, row["perceptual_hash"]))]
    better = originals(pa.Table.from_pylist(hashed, NEAR_DUPLICATES), project.settings.curation.near_duplicates)
    for place, row in enumerate(hashed):
        row["is_new"] = bool(better[place] == place)
    derived: tuple[str, ...] = ("is_whole", "source_frames", "frames", "counted_frames", "crop_is_inside", "crop_share")
    derived += ("licence_is_admitted", "path_stays_below", "is_new")
    return _frame(rows, project.table("curated_clips"), derived)


def _clips_expectations(settings: Settings) -> list[GxExpectation]:
    import great_expectations.expectations as gxe

    rules = settings.curation
    # two sides may each lose max_share, and sizes are whole pixels
    smallest = 1 - 2 * rules.text_crop.max_share - 0.02
    return [
        there("clip_id"),
        unique("clip_id"),
        true("is_whole", "a clip has frames, a rate, a size and a path"),
        between("start_frame", "the first frame is not before the source's", minimum=0),
        gxe.ExpectColumnPairValuesAToBeGreaterThanB(
            column_A="source_frames",
            column_B="end_frame",
            or_equal=True,
            notes="the clip ends within its source",
        ),
        between(
            "counted_frames",
            "the length lies within curation.shots",
            minimum=rules.shots.min_frames,
            maximum=rules.shots.max_frames,
        ),
        true("crop_is_inside", "the crop lies inside the picture"),
        true("licence_is_admitted", "no source is under a licence of curation.exclude_licences"),
        between("crop_share", "the crop leaves what curation.text_crop allows", minimum=smallest),
        *(
            between(rule.score, f"{rule.score} keeps its rule", minimum=rule.minimum, maximum=rule.maximum)
            for rule in rules.rules
        ),
        *(there(rule.score) for rule in rules.rules),
        *([there("perceptual_hash")] if rules.near_duplicates.enabled else []),
        true("is_new", "no two kept clips show the same"),
        gxe.ExpectColumnValuesToBeNull(column="duplicate_of", notes="a kept clip points to no better one"),
        matches("sha256", "^[0-9a-f]{64}$", "a sha256 names the content"),
        true("path_stays_below", "paths stay below their root"),
    ]


def _captions_frame(project: Project) -> pd.DataFrame:
    """Every row of `captions`, and one for each curated item of which it has none."""
    written, items = tables.read(project.table("captions")), _curated_items(project)
    known = {row["item_id"] for row in written}
    rows: list[dict[str, Any]] = [*written, *({"item_id": item_id} for item_id in items if item_id not in known)]
    curated = set(items)
    for row in rows:
        row["has_row"], row["item_is_curated"] = row["item_id"] in known, row["item_id"] in curated
        row["is_kept"] = bool(row.get("caption"))
        row["characters"] = len(row["caption"]) if row.get("caption") else None
        row["reasoned"] = row["is_kept"] == (row.get("rejected_by") is None)
    derived = ("has_row", "item_is_curated", "is_kept", "characters", "reasoned")
    return with_checks(_frame(rows, project.table("captions"), derived), CAPTIONS.columns)


def _captions_expectations(settings: Settings) -> list[GxExpectation]:
    import great_expectations.expectations as gxe

    return [
        there("item_id"),
        unique("item_id"),
        true("has_row", "every curated item has a row"),
        true("item_is_curated", "every row is of a curated item"),
        true("reasoned", "a row has a caption or the reason why not"),
        gxe.ExpectColumnMeanToBeBetween(
            column="is_kept",
            min_value=1 - settings.dataset.max_dropped_share,
            notes="as many items have captions as dataset.max_dropped_share asks for",
        ),
        between("characters", "captions are neither empty nor too long", minimum=1, maximum=MAX_CHARACTERS),
        *expectations_of(CAPTIONS.columns),
    ]


def _training_frame(project: Project) -> pd.DataFrame:
    """Samples, with the decoded frames of their source and what is known of their item."""
    decoded = _decoded_frames(project)
    items = set(_curated_items(project))
    rows: list[dict[str, Any]] = [dict(sample) for sample in training_samples(project)]
    splits: dict[str, set[str]] = {}
    for row in rows:
        splits.setdefault(row["sha256"], set()).add(row["split"])
    for row in rows:
        indices = row["frame_indices"] or []
        row["splits_of_source"] = len(splits[row["sha256"]])
        row["item_is_curated"] = row["item_id"] in items
        row["source_frames"] = 1 if row["kind"] == "image" else decoded.get(row["source_id"], 0)
        row["last_frame"], row["frames_listed"] = max(indices, default=0), len(indices)
        row["in_order"] = bool(indices) and indices == sorted(indices) and indices[0] >= 0
        row["one_plus_four_n"] = fits_latents(row["frames"] or 0)
        row["sides_fit"] = all(side and side % PIXELS_PER_TOKEN == 0 for side in (row["height"], row["width"]))
        row["bucket_agrees"] = row["bucket"] == f"{row['frames']}x{row['height']}x{row['width']}"
        row["characters"] = len((row["caption"] or "").strip())
        row["licence_is_admitted"] = _admitted(project, row)
    derived: tuple[str, ...] = (
        "splits_of_source",
        "item_is_curated",
        "source_frames",
        "last_frame",
        "frames_listed",
        "in_order",
    )
    derived += ("one_plus_four_n", "sides_fit", "bucket_agrees", "characters", "licence_is_admitted")
    return with_checks(_frame(rows, project.data / "training_set" / "samples.parquet", derived), TRAINING_SET.columns)


def _training_expectations(settings: Settings) -> list[GxExpectation]:
    import great_expectations.expectations as gxe

    return [
        there("sample_id"),
        unique("sample_id"),
        gxe.ExpectTableRowCountToBeBetween(min_value=1, notes="there are samples"),
        between("splits_of_source", "no source is in both splits", maximum=1),
        gxe.ExpectColumnDistinctValuesToContainSet(
            column="split", value_set=["train", "held_out"], notes="both splits hold samples"
        ),
        between("characters", "every caption says something", minimum=1),
        true("one_plus_four_n", "frames are 1 + 4n"),
        true("sides_fit", f"sides are multiples of {PIXELS_PER_TOKEN}"),
        true("bucket_agrees", "the bucket's name is its size"),
        true("in_order", "frame indices ascend"),
        true("licence_is_admitted", "no source is under a licence of curation.exclude_licences"),
        true("item_is_curated", "every sample comes from a curated item"),
        gxe.ExpectColumnPairValuesToBeEqual(
            column_A="frames_listed", column_B="frames", notes="as many frames are listed as the bucket has"
        ),
        gxe.ExpectColumnPairValuesAToBeGreaterThanB(
            column_A="source_frames",
            column_B="last_frame",
            notes="the decoded source holds every listed frame",
        ),
        between("frames", "no sample is longer than dataset.num_frames", maximum=settings.dataset.num_frames),
        *expectations_of(TRAINING_SET.columns),
    ]


SUITES = {
    "curated_clips": Suite(
        "clip_id",
        _clips_frame,
        _clips_expectations,
        ("frames", *SCORES, "crop_share"),
    ),
    "captions": Suite("item_id", _captions_frame, _captions_expectations, ("characters",)),
    "training_set": Suite("sample_id", _training_frame, _training_expectations, ("frames", "characters")),
}


def _decoded_frames(project: Project) -> dict[str, int]:
    """Kept videos, by their content: how many frames each really has."""
    return {row["source_id"]: row["frames"] for row in tables.kept(tables.read(project.table("raw_videos")))}


def _curated_items(project: Project) -> list[str]:
    clips = tables.kept(tables.read(project.table("curated_clips")))
    images = tables.kept(tables.read(project.table("curated_images")))
    return [*(row["clip_id"] for row in clips), *(row["source_id"] for row in images)]


def _admitted(project: Project, row: dict[str, Any]) -> bool:
    return pattern_against(row.get("licence"), project.settings.curation.exclude_licences) is None


def _frame(rows: list[dict[str, Any]], table: Any, derived: tuple[str, ...]) -> pd.DataFrame:
    """Rows with the table's columns and the derived ones, also when there is no row."""
    import pandas as pd
    import pyarrow.parquet as pq

    return pd.DataFrame(rows, columns=[*pq.read_schema(table).names, *derived])
