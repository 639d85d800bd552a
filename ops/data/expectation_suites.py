"""The suites: for each kind of data, a table of what is checked and the expectations of it.

Rules over several tables become columns of that table first, so that a failure can name its rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from models.geometry import PIXELS_PER_TOKEN, fits_latents
from ops.catalogue import SCORES
from ops.catalogue.checks import is_hash, is_inside, stays_below
from ops.config import Settings
from ops.curation.rules.jump_cuts import counted_frames
from ops.curation.steps.near_duplicates import COMPARED, originals
from ops.data.captioning.text import MAX_CHARACTERS
from ops.data.columns import CAPTIONS, TRAINING_SET
from ops.data.gx_expectations import between, expectations_of, matches, there, true, unique, with_checks
from ops.runtime import tables
from ops.runtime.licences import pattern_against
from ops.runtime.lookup import Lookup
from ops.runtime.project import Project
from ops.runtime.tables import Row

if TYPE_CHECKING:
    import pandas as pd
    from great_expectations.expectations import Expectation as GxExpectation


@dataclass(frozen=True)
class Suite:
    """`frames` gathers the rows, part by part, at least one; `expectations` says what must hold, `id` names a row,
    `measured` is summarised."""

    id: str
    frames: Callable[[Project], Iterator[pd.DataFrame]]
    expectations: Callable[[Settings], list[GxExpectation]]
    measured: tuple[str, ...]


def _clips_frames(project: Project) -> Iterator[pd.DataFrame]:
    """Kept clips, with the decoded frames of their source and the share of the picture that the crop leaves."""
    path, at = project.table("curated_clips"), 0
    decoded = _decoded_frames(project, tables.kept_column(path, "source_id"))
    repeats, placed = _repeats(project, path), 0
    for part in at_least_one(path, tables.kept_parts(path, pq.read_schema(path).names)):
        rows = part.to_pylist()
        for row, source_frames in zip(rows, decoded(at, len(rows)).tolist(), strict=True):
            _tell_of_clip(row, source_frames, project)
            if _can_be_compared(row):
                row["is_new"], placed = not bool(repeats[placed]), placed + 1
        at += len(rows)
        yield _frame(rows, path, DERIVED_OF_CLIPS)


DERIVED_OF_CLIPS = (
    *("is_whole", "source_frames", "frames", "counted_frames", "crop_is_inside", "crop_share"),
    *("licence_is_admitted", "path_stays_below", "is_new"),
)


def _tell_of_clip(row: Row, source_frames: int, project: Project) -> None:
    """Add to a clip what is derived of it alone and of its source."""
    row["is_whole"] = _is_whole(row)
    row["crop_is_inside"] = row["is_whole"] and is_inside(row["crop"], row["width"], row["height"])
    row["licence_is_admitted"] = _admitted(row.get("licence"), project.settings.curation.exclude_licences)
    if not row["is_whole"]:
        return
    x0, x1, y0, y1 = row["crop"] if row["crop"] and row["crop_is_inside"] else (0, row["width"], 0, row["height"])
    row["source_frames"] = source_frames
    row["frames"] = row["end_frame"] - row["start_frame"]
    row["counted_frames"] = counted_frames(
        row["frames"], row["fps"], project.settings.curation.shots, row["frame_times"]
    )
    row["crop_share"] = min((x1 - x0) / row["width"], (y1 - y0) / row["height"])
    row["path_stays_below"] = stays_below(row["path"])


def _is_whole(row: dict[str, object]) -> bool:
    known = all(row[name] for name in ("end_frame", "fps", "width", "height", "path"))
    return known and row["start_frame"] is not None


def _can_be_compared(row: Row) -> bool:
    """With other clips: it has a place, and hashes."""
    inside = _is_whole(row) and is_inside(row["crop"], row["width"], row["height"])
    return bool(inside and row["perceptual_hash"]) and all(map(is_hash, row["perceptual_hash"]))


def _repeats(project: Project, path: Path) -> NDArray[np.bool_]:
    """bool [clips that can be compared, in order]: those that show what a better one shows."""
    compared = []
    for part in tables.kept_parts(path, COMPARED):
        compared.append(part.filter(pa.array(map(_can_be_compared, part.to_pylist()), pa.bool_())))
    if not compared:
        return np.array([], bool)
    table = pa.concat_tables(compared)
    repeats: NDArray[np.bool_] = originals(table, project.settings.curation.near_duplicates) != np.arange(len(table))
    return repeats


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


def _captions_frames(project: Project) -> Iterator[pd.DataFrame]:
    """Every row of `captions`, and one for each curated item of which it has none."""
    path, items = project.table("captions"), _curated_items(project)
    known = tables.read_columns(path, ["item_id"])["item_id"]
    curated, at = pc.is_in(known, value_set=items), 0
    for part in at_least_one(path, tables.parts(path)):
        is_kept = pc.greater(pc.utf8_length(pc.fill_null(part["caption"], "")), 0)
        derived = {
            "has_row": pa.array(np.full(len(part), True)),
            "item_is_curated": curated.slice(at, len(part)),
            "is_kept": is_kept,
            "characters": pc.if_else(is_kept, pc.utf8_length(part["caption"]), None),
            "reasoned": pc.equal(is_kept, pc.is_null(part["rejected_by"])),
        }
        at += len(part)
        yield with_checks(_with(part, derived).to_pandas(), CAPTIONS.columns)
    missing = items.filter(pc.invert(pc.is_in(items, value_set=known)))
    for start in range(0, len(missing), tables.GROUP):
        some = missing.slice(start, tables.GROUP)
        no, yes = (pa.array(np.full(len(some), value)) for value in (False, True))
        rows = {name: pa.nulls(len(some), CAPTIONS.schema.field(name).type) for name in CAPTIONS.schema.names}
        derived = {"has_row": no, "item_is_curated": yes, "is_kept": no, "reasoned": no}
        derived["characters"] = pa.nulls(len(some), pa.int32())
        yield with_checks(pa.table({**rows, "item_id": some, **derived}).to_pandas(), CAPTIONS.columns)


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


def _training_frames(project: Project) -> Iterator[pd.DataFrame]:
    """Samples, with the decoded frames of their source and what is known of their item."""
    path, at = project.data / "training_set" / "samples.parquet", 0
    told = tables.read_columns(path, ["item_id", "source_id"])
    decoded = _decoded_frames(project, told["source_id"])
    curated = pc.is_in(told["item_id"], value_set=_curated_items(project))
    del told
    in_both, against = _in_both_splits(path), project.settings.curation.exclude_licences
    for part in at_least_one(path, tables.parts(path)):
        size = [pc.cast(part[name], pa.string()) for name in ("frames", "height", "width")]
        sides = [_mapped(part[name], lambda side: bool(side) and side % PIXELS_PER_TOKEN == 0) for name in SIDES]
        derived = {
            "splits_of_source": pc.add(pc.cast(pc.is_in(part["sha256"], value_set=in_both), pa.int64()), 1),
            "item_is_curated": curated.slice(at, len(part)),
            "source_frames": _source_frames(part["kind"], decoded(at, len(part))),
            **_of_indices(part["frame_indices"].combine_chunks()),
            "one_plus_four_n": _mapped(part["frames"], lambda frames: fits_latents(frames or 0)),
            "sides_fit": pc.and_(*sides),
            "bucket_agrees": pc.equal(part["bucket"], pc.binary_join_element_wise(*size, "x")),
            "characters": pc.utf8_length(pc.utf8_trim_whitespace(pc.fill_null(part["caption"], ""))),
            "licence_is_admitted": _mapped(part["licence"], lambda licence: _admitted(licence, against)),
        }
        at += len(part)
        shown = part.drop_columns(["frame_indices", "crop"])  # no expectation asks for them, and they are the largest
        yield with_checks(_with(shown, derived).to_pandas(), TRAINING_SET.columns)


def _of_indices(indices: pa.ListArray) -> dict[str, pa.Array]:
    """Of each sample's frames: the last, how many, and whether they ascend from 0 or later."""
    counts = pc.fill_null(pc.list_value_length(indices), 0).to_numpy(zero_copy_only=False).astype(np.int64)
    values, owner = indices.flatten().to_numpy(zero_copy_only=False), np.repeat(np.arange(len(counts)), counts)
    last, ascends = np.zeros(len(counts), np.int64), counts > 0
    np.maximum.at(last, owner, values)
    falls = (values[1:] < values[:-1]) & (owner[1:] == owner[:-1])
    ascends[owner[1:][falls]] = False
    ascends[owner[values < 0]] = False
    return {"last_frame": pa.array(last), "frames_listed": pa.array(counts), "in_order": pa.array(ascends)}


def _in_both_splits(path: Path) -> pa.Array:
    """The contents of which some samples are of one split and some of another: none, or few."""
    table = tables.read_columns(path, ["sha256", "split"])
    contents, splits = (_encoded(table[name]) for name in ("sha256", "split"))
    count = max(len(splits.dictionary), 1)
    pairs = np.unique(contents.indices.to_numpy().astype(np.int64) * count + splits.indices.to_numpy())
    found, counts = np.unique(pairs // count, return_counts=True)
    return contents.dictionary.take(pa.array(found[counts > 1]))


def _encoded(column: pa.ChunkedArray) -> pa.DictionaryArray:
    """Each value by its number, null among them."""
    plain = column.combine_chunks().cast(column.type.value_type if pa.types.is_dictionary(column.type) else column.type)
    return plain.dictionary_encode(null_encoding="encode")


SIDES = ("height", "width")


def _source_frames(kinds: pa.ChunkedArray, decoded: NDArray[np.int64]) -> pa.Array:
    """Those of each sample's source; an image has one."""
    return pa.array(np.where(pc.fill_null(pc.equal(kinds, "image"), False).to_numpy(), 1, decoded))


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
        between(
            "frames",
            "no sample is longer than dataset.num_frames of the trainings",
            maximum=max(wanted.cut.num_frames for wanted in settings.cuts().values()),
        ),
        *expectations_of(TRAINING_SET.columns),
    ]


SUITES = {
    "curated_clips": Suite(
        "clip_id",
        _clips_frames,
        _clips_expectations,
        ("frames", *SCORES, "crop_share"),
    ),
    "captions": Suite("item_id", _captions_frames, _captions_expectations, ("characters",)),
    "training_set": Suite("sample_id", _training_frames, _training_expectations, ("frames", "characters")),
}


def _decoded_frames(project: Project, sources: pa.ChunkedArray) -> Callable[[int, int], NDArray[np.int64]]:
    """How many frames the kept videos really have: (start, count) → int64 [count], by these sources; 0 for no video."""
    videos = Lookup(project.table("raw_videos"), "source_id", ["frames"], sources)

    def frames(start: int, count: int) -> NDArray[np.int64]:
        found: NDArray[np.int64] = pc.fill_null(videos.rows(start, count)["frames"], 0).to_numpy()
        return found

    return frames


def _curated_items(project: Project) -> pa.Array:
    clips = tables.kept_column(project.table("curated_clips"), "clip_id")
    images = tables.kept_column(project.table("curated_images"), "source_id")
    return pa.concat_arrays([chunk for ids in (clips, images) for chunk in ids.cast(pa.string()).chunks])


@cache
def _admitted(licence: str | None, against: tuple[str, ...]) -> bool:
    return pattern_against(licence, against) is None


def _mapped(column: pa.ChunkedArray, told: Callable[..., bool]) -> pa.Array:
    """What is told of each value, asked once of equal ones."""
    encoded = _encoded(column)
    return pa.array([told(value) for value in encoded.dictionary.to_pylist()], pa.bool_()).take(encoded.indices)


def at_least_one(path: Path, parts: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """The parts or, of a table without rows, an empty one."""
    first = next(parts, None)
    yield pq.read_schema(path).empty_table() if first is None else first
    yield from parts


def _with(part: pa.Table, derived: dict[str, pa.Array | pa.ChunkedArray]) -> pa.Table:
    columns = [*part.columns, *derived.values()]
    return pa.table(columns, names=[*part.column_names, *derived])


def _frame(rows: list[dict[str, object]], table: Path, derived: Sequence[str]) -> pd.DataFrame:
    """Rows with the table's columns and the derived ones, also when there is no row."""
    import pandas as pd

    return pd.DataFrame(rows, columns=[*pq.read_schema(table).names, *derived])
