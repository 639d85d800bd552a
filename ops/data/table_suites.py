"""A suite for every table that a step writes, beside those of what training is made from (expectation_suites.py).

They are drawn from the columns: what is said of a column holds in every table that has it, so a column needs one entry
here, whichever step adds it. A test names the columns that have none.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import pairwise
from math import isfinite
from typing import TYPE_CHECKING, Any

from ops.config import Settings
from ops.curation.rules.image_rules import ORDER as IMAGE_RULES
from ops.curation.rules.reasons import Reason
from ops.curation.sources.listing import stays_below
from ops.data.expectation_suites import SUITES, Suite, is_hash, is_inside
from ops.runtime.project import Project
from ops.runtime.video.colour import MATRICES, PRIMARIES, RANGES, TRANSFERS
from ops.steps import STEPS

if TYPE_CHECKING:
    import pandas as pd

SCORES = {
    "cut_distances": "shots_scorer",
    "cut_probabilities": "shot_boundaries_scorer",
    "motion": "motion_scorer",
    "central_text": "text_crop_scorer",
    "aesthetic": "aesthetics_scorer",
    "technical": "technical_quality_scorer",
    "safety": "safety_scorer",
    "motion_cropped": "motion_recheck_scorer",
}
"""Score → the column that says who measured it."""

FIELDS = ["progressive", "top_first", "bottom_first", "unknown"]

OF_COLUMNS: dict[str, Callable[[str], list[Any]]] = {
    "source_id": lambda column: [_matches(column, "^[0-9a-f]{16}$", "sources are named by 16 digits")],
    "clip_id": lambda column: [_there(column)],
    "parent": lambda column: [_there(column)],
    "root": lambda column: [_there(column)],
    "path": lambda column: [
        _there(column),
        _true("path_stays_below", "paths stay below their root"),
    ],
    "sha256": lambda column: [_there(column), _matches(column, "^[0-9a-f]{64}$", "a sha256 names the content")],
    "bytes": lambda column: [_between(column, "files have content", min_value=1)],
    "mtime_ns": lambda _: [],  # any date, and none for one that no number holds
    "container": lambda column: [_matches(column, r"\S", "the container has a name")],
    "codec": lambda column: [_matches(column, r"\S", "the codec has a name")],
    "width": lambda column: [_there(column), _between(column, "pictures have a width", min_value=1)],
    "height": lambda column: [_there(column), _between(column, "pictures have a height", min_value=1)],
    "rotation": lambda column: [_one_of(column, [0, 90, 180, 270], "pictures are turned by right angles")],
    "mirrored": lambda column: [_there(column)],
    "pixel_format": lambda column: [_matches(column, r"\S", "a pixel format has a name")],
    "sample_aspect_ratio": lambda column: [_between(column, "pixels have a shape", min_value=0.25, max_value=4)],
    "colour_matrix": lambda column: [_one_of(column, [*MATRICES.values()], "H.273 has the matrix")],
    "colour_primaries": lambda column: [_one_of(column, [*PRIMARIES.values()], "H.273 has the primaries")],
    "colour_transfer": lambda column: [_one_of(column, [*TRANSFERS.values()], "H.273 has the transfer")],
    "colour_range": lambda column: [_one_of(column, [*RANGES.values()], "there are two ranges")],
    "interlaced": lambda column: [_there(column)],
    "field_order": lambda column: [_one_of(column, FIELDS, "one of two fields comes first, or it is not known")],
    "transparent": lambda column: [_there(column)],
    "frame_times": lambda _: [_true("times_fit", "times at a variable rate are in order, one more than frames")],
    "fps": lambda column: [_there(column), _between(column, "frames follow each other", min_value=1 / 3600)],
    "variable_frame_rate": lambda column: [_there(column)],
    "frames": lambda column: [_there(column), _between(column, "something was decoded", min_value=1)],
    "seconds": lambda column: [_between(column, "frames last a while", min_value=1e-4)],
    "seek_points": lambda _: [_true("seek_points_rise", "points to seek to rise in frame and in time")],
    "licence": lambda column: [_matches(column, r"^\S", "a licence has a name")],
    "collection": lambda column: [_one_of(column, ["captioned", "text", "people"], "there are three collections")],
    "watermark": lambda column: [_between(column, "a watermark's score is a share", min_value=0, max_value=1)],
    "captions": lambda column: [_there(column)],
    "caption_error": lambda column: [_matches(column, r"\S", "an error of captions says something")],
    "technical_scaled": lambda _: [_true("scaled_with_score", "a scaled score stands beside a score of DOVER")],
    "text_lines": lambda _: [_true("lines_are_lines", "lines of text have a text, a confidence and a box")],
    "recognised_text": lambda _: [_true("text_is_read", "a picture of the collection `text` says something")],
    "recognised_text_scorer": lambda _: [_true("text_is_told", "text says who read it")],
    "rejected_by": lambda column: [_one_of(column, [*STEPS, *IMAGE_RULES], "a step of the graph rejected it")],
    "reason_code": lambda column: [_one_of(column, [*Reason], "reasons have a code of the list")],
    "reason": lambda _: [_true("verdict_is_whole", "a row is kept, or says who rejected it and why")],
    "start_frame": lambda column: [_there(column), _between(column, "clips begin in their source", min_value=0)],
    "end_frame": lambda _: [_true("has_frames", "clips have frames")],
    "crop": lambda _: [_true("crop_is_inside", "the crop lies inside the picture")],
    "sampled_frames": lambda _: [_true("series_fits", "there is a number between each two sampled frames")],
    "text_boxes": lambda _: [_true("boxes_are_boxes", "boxes of text have four sides")],
    "perceptual_hash": lambda _: [_true("hashes_are_hashes", "a perceptual hash has hexadecimal digits")],
    "near_duplicates_scorer": lambda _: [_true("hashes_are_told", "a perceptual hash says who measured it")],
    "duplicate_of": lambda column: [_matches(column, "^[0-9a-f]{16}$", "clips and pictures are named by 16 digits")],
    "bucket": lambda column: [_matches(column, r"^\d+x\d+x\d+$", "a bucket's name is its size")],
    "kind": lambda column: [_one_of(column, ["video", "image"], "items are videos or images")],
    "split": lambda column: [_one_of(column, ["train", "held_out"], "there are two splits")],
    "samples": lambda column: [_between(column, "buckets hold samples", min_value=1)],
    "items": lambda column: [_there(column), _between(column, "a row stands for items", min_value=1)],
    "enlarged": lambda _: [_true("enlarged_are_samples", "no more samples are enlarged than there are")],
    "kept_share": lambda column: [_between(column, "a bucket keeps a share of pictures", min_value=0, max_value=1)],
    "least_kept_share": lambda column: [_between(column, "no sample loses all", min_value=0, max_value=1)],
    "dropped": lambda _: [_true("bucket_or_reason", "items are in a bucket, or dropped for a reason")],
}
"""What holds of a column in the rows that are kept. `rejected_by`, `reason_code` and `reason`: in every row."""
OF_COLUMNS |= {
    score: lambda score: [
        _true(f"{score}_is_finite", f"{score} is a number"),
        _true(f"{score}_is_told", f"{score} says who measured it"),
    ]
    for score in SCORES
}
OF_COLUMNS |= {scorer: lambda _: [] for scorer in SCORES.values()}  # said with the score

_SERIES = ("cut_distances", "cut_probabilities")
"""Scores of slices, a number for each two sampled frames."""
_DISTANCES = ("cut_distances", "motion", "motion_cropped")
_PROBABILITIES = ("cut_probabilities", "safety")


TABLES = tuple(name for name, step in STEPS.items() if step.output.endswith(".parquet") and name not in SUITES)
"""The steps whose table has a suite here. `buckets`, the second table of `training_set`, has one, too."""


def suite_of(project: Project, name: str) -> Suite:
    """The suite of a dataset step, or of `buckets`; of a table that lies here it reads which columns it has.

    Raises:
        KeyError: no such table.
        FileNotFoundError: the step has not run.
    """
    import pyarrow.parquet as pq

    if name in SUITES:
        return SUITES[name]
    if name == "buckets":
        columns = pq.read_schema(project.data / "training_set" / "buckets.parquet").names
        columns.remove("reason")  # no verdict here; said with `dropped`
        return Suite("row", _buckets_frame, partial(_expectations, columns, (), False), ("samples", "items"))
    if name not in TABLES:
        raise KeyError(f"no table is called '{name}'")
    columns = pq.read_schema(project.table(name)).names
    key = "clip_id" if "clip_id" in columns else "path"
    scores = tuple(score for score in SCORES if score in columns and score not in _SERIES)
    unique = ("clip_id",) if key == "clip_id" else ("root", "path")
    follows = bool(STEPS[name].inputs)
    return Suite(key, partial(_frame, name), partial(_expectations, columns, unique, follows), scores)


def _frame(step: str, project: Project) -> pd.DataFrame:
    """The rows that are kept, those whose verdict is broken, and those of the step before that have no row here."""
    import pandas as pd
    import pyarrow.parquet as pq

    frame = pq.read_table(project.table(step)).to_pandas()
    verdict = frame[["rejected_by", "reason_code", "reason"]]
    frame["verdict_is_whole"] = verdict.isna().all(axis=1) | verdict.notna().all(axis=1)
    known = verdict["rejected_by"].isin([*STEPS, *IMAGE_RULES]) & verdict["reason_code"].isin([*Reason])
    gone = _gone(step, project, frame)
    told = frame[verdict["rejected_by"].isna() | ~known | ~frame["verdict_is_whole"]].reset_index(drop=True)
    told = _derived(told).assign(has_row=True)
    if len(gone):  # all that they lack here is null, of which nothing is said
        told = pd.concat([told, gone.reindex(columns=told.columns).assign(has_row=False)], ignore_index=True)
    return told


def _gone(step: str, project: Project, frame: pd.DataFrame) -> pd.DataFrame:
    """Rows of the step before of which nothing is left: neither kept nor rejected."""
    import pyarrow.parquet as pq

    inputs = STEPS[step].inputs
    if not inputs:
        return frame[:0]
    before = pq.read_table(project.table(inputs[0])).to_pandas()
    if step == "clips":
        return before[before["rejected_by"].isna() & ~before["source_id"].isin(frame["source_id"])]
    if step == "shots":
        return before[~before["clip_id"].isin(frame["parent"]) & ~before["clip_id"].isin(frame["clip_id"])]
    # a crop gives a clip another id, but neither another source nor other frames
    keys = ["sha256", "start_frame", "end_frame"] if "start_frame" in before else ["root", "path"]
    return before[~before.set_index(keys).index.isin(frame.set_index(keys).index)]


def _derived(frame: pd.DataFrame) -> pd.DataFrame:
    """What is said of several columns, or of lists, as columns of true and false."""
    rows: list[dict[Any, Any]] = [
        {key: None if _is_nan(value) else value for key, value in row.items()} for row in frame.to_dict("records")
    ]
    told: dict[str, list[bool]] = {
        "path_stays_below": [row["path"] is None or stays_below(row["path"]) for row in rows]
    }
    if "end_frame" in frame:
        told["has_frames"] = [
            None not in (row["start_frame"], row["end_frame"]) and row["start_frame"] < row["end_frame"] for row in rows
        ]
        told["crop_is_inside"] = [is_inside(row["crop"], row["width"], row["height"]) for row in rows]
    if "seek_points" in frame:
        told["seek_points_rise"] = [_rise(row["seek_points"]) for row in rows]
    if "frame_times" in frame:
        told["times_fit"] = [_times_fit(row) for row in rows]
    if "sampled_frames" in frame:
        told["series_fits"] = [_series_fit(row) for row in rows]
    if "text_boxes" in frame:
        told["boxes_are_boxes"] = [_are_boxes(row["text_boxes"]) for row in rows]
    if "perceptual_hash" in frame:
        hashes, scorers = [row["perceptual_hash"] for row in rows], [row["near_duplicates_scorer"] for row in rows]
        told["hashes_are_hashes"] = [each is None or all(is_hash(one) for one in each) for each in hashes]
        told["hashes_are_told"] = [
            each is None or _names_a_scorer(scorer) for each, scorer in zip(hashes, scorers, strict=True)
        ]
    if "technical_scaled" in frame:
        told["scaled_with_score"] = [row["technical_scaled"] is None or row["technical"] is not None for row in rows]
    if "text_lines" in frame:
        told["lines_are_lines"] = [_are_lines(row["text_lines"]) for row in rows]
        told["text_is_told"] = [
            row["text_lines"] is None or _names_a_scorer(row["recognised_text_scorer"]) for row in rows
        ]
        told["text_is_read"] = [row["collection"] != "text" or _length(row["recognised_text"]) > 0 for row in rows]
    for score, scorer in SCORES.items():
        if score in frame and scorer in frame:
            lowest = 0.0 if score in (*_DISTANCES, *_PROBABILITIES) else -float("inf")
            highest = 1.0 if score in _PROBABILITIES else float("inf")
            told[f"{score}_is_finite"] = [_are_numbers(row[score], lowest, highest) for row in rows]
            told[f"{score}_is_told"] = [row[score] is None or _names_a_scorer(row[scorer]) for row in rows]
    return frame.assign(**told)


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and value != value


def _length(values: Any) -> int:
    return 0 if values is None else len(values)


def _series_fit(row: dict[Any, Any]) -> bool:
    """A number for each two sampled frames; probabilities only where a network was asked."""
    gaps = max(_length(row["sampled_frames"]) - 1, 0)
    probabilities = row["cut_probabilities"]
    return _length(row["cut_distances"]) == gaps and (probabilities is None or _length(probabilities) == gaps)


def _rise(points: Any) -> bool:
    """Pairs of a frame and a time stamp, each above the one before; null where the file cannot be used."""
    pairs = [] if points is None else [tuple(point) for point in points]
    steps = pairwise(pairs)
    return all(len(pair) == 2 for pair in pairs) and all(a[0] < b[0] and a[1] < b[1] for a, b in steps)


def _times_fit(row: dict[Any, Any]) -> bool:
    """Null at a constant rate, and where the file cannot be used."""
    times = row["frame_times"]
    if times is None:
        return not row.get("variable_frame_rate")
    if "frames" in row:
        frames = row["frames"]
    else:
        frames = None if None in (row["start_frame"], row["end_frame"]) else row["end_frame"] - row["start_frame"]
    return frames is not None and len(times) == frames + 1 and all(before <= after for before, after in pairwise(times))


def _are_boxes(text: str | None) -> bool:
    """JSON: for each frame looked at, a list of [x0, x1, y0, y1]; null where nothing was looked at."""
    if text is None:
        return True
    try:
        return all(x0 <= x1 and y0 <= y1 for boxes in json.loads(text) for x0, x1, y0, y1 in boxes)
    except (ValueError, TypeError):
        return False


def _are_lines(text: str | None) -> bool:
    """JSON: lines of text in a picture; null where nobody looked for any."""
    if text is None:
        return True
    try:
        return all(line["text"] and 0 <= line["confidence"] <= 1 and len(line["box"]) == 4 for line in json.loads(text))
    except (ValueError, KeyError, TypeError):
        return False


def _are_numbers(value: Any, lowest: float, highest: float) -> bool:
    values: Iterable[float] = [] if value is None else [value] if isinstance(value, float) else value
    return all(isfinite(each) and lowest <= each <= highest for each in values)


def _names_a_scorer(text: str | None) -> bool:
    try:
        return text is not None and bool(json.loads(text)["scorer"])
    except (ValueError, KeyError, TypeError):
        return False


def _expectations(columns: Sequence[str], unique: Sequence[str], follows: bool, _: Settings) -> list[Any]:
    """Of these columns, of those that are unique together, and, if the table follows another, of the rows of that."""
    import great_expectations.expectations as gxe

    told = [each for column in columns if column in OF_COLUMNS for each in OF_COLUMNS[column](column)]
    if not unique:
        return told
    if len(unique) == 1:
        told.append(gxe.ExpectColumnValuesToBeUnique(column=unique[0], notes=f"{unique[0]} is unique"))
    else:
        told.append(gxe.ExpectCompoundColumnsToBeUnique(column_list=list(unique), notes="a file has one row"))
    return [*told, *([_true("has_row", "no row of the step before is lost")] if follows else [])]


def _buckets_frame(project: Project) -> pd.DataFrame:
    import pyarrow.parquet as pq

    frame = pq.read_table(project.data / "training_set" / "buckets.parquet").to_pandas()
    rows = frame.to_dict("records")
    return frame.assign(
        row=range(len(frame)),
        enlarged_are_samples=[not row["enlarged"] > row["samples"] for row in rows],
        bucket_or_reason=[
            row["bucket"] is not None and row["reason"] is None
            if row["samples"] == row["samples"]
            else row["reason"] is not None and len(row["dropped"]) == row["items"]
            for row in rows
        ],
    )


def _there(column: str) -> Any:
    import great_expectations.expectations as gxe

    return gxe.ExpectColumnValuesToNotBeNull(column=column, notes=f"{column} is there")


def _between(column: str, notes: str, **limits: Any) -> Any:
    import great_expectations.expectations as gxe

    return gxe.ExpectColumnValuesToBeBetween(column=column, notes=notes, **limits)


def _matches(column: str, regex: str, notes: str) -> Any:
    import great_expectations.expectations as gxe

    return gxe.ExpectColumnValuesToMatchRegex(column=column, regex=regex, notes=notes)


def _one_of(column: str, values: list[Any], notes: str) -> Any:
    import great_expectations.expectations as gxe

    return gxe.ExpectColumnValuesToBeInSet(column=column, value_set=values, notes=notes)


def _true(column: str, notes: str) -> Any:
    return _one_of(column, [True], notes)
