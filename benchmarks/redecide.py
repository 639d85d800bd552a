"""Another threshold: seconds to decide a million clips anew from the scores that are there, and as many images.

`python -m benchmarks.redecide` makes up the tables, as wide as real ones; `--clips N` takes another number.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import yaml
from rich.console import Console

from benchmarks.fresh_project import fresh_project
from benchmarks.report import Report
from ops.config import RULED_SCORES, Curation
from ops.curation.measuring.scores import Score, ScoreStore, score_key
from ops.curation.rules.decisions import VERDICT, decide
from ops.curation.rules.rejection import rejection
from ops.curation.rules.verdicts import judged
from ops.curation.scorers import as_column, identity
from ops.curation.tables import CLIPS as CLIPS_OF_FILES
from ops.curation.tables import MOTION_RECHECK, RAW_IMAGES, RAW_VIDEOS, TEXT_CROP
from ops.runtime import tables
from ops.runtime.project import Project
from ops.runtime.tables import Row
from ops.steps import CLIP_STEPS, STEPS

Result = TypeVar("Result")

CLIPS = 1_000_000
SERIES = 64
"""Distances of a slice: eight seconds at eight frames a second."""
LOOSE, STRICT = 4.75, 5.0
ROW_BY_ROW = 20_000
CHAIN = CLIP_STEPS[CLIP_STEPS.index("aesthetics") :]
RECIPE = {
    "aesthetics": {"scorer": "laion-v2"},
    "rules": {"aesthetic": {"minimum": LOOSE}},
}


@dataclass(frozen=True)
class Figures:
    """Seconds; `processor` is the work of all cores on the first three. `row_by_row` is of reading, deciding and
    writing Python rows, worked out for all from some of them."""

    clips: int
    megabytes: float
    changed: int
    reading: float
    deciding: float
    writing: float
    processor: float
    row_by_row: float
    chain: dict[str, float]
    images: float
    """Of the step `curated_images`, with as many images as clips."""

    @property
    def whole(self) -> float:
        return self.reading + self.deciding + self.writing


def measure(clips: int) -> Figures:
    """Decide the table `curated_clips` anew, and then run the steps from `aesthetics` on, by a stricter rule."""
    with fresh_project({"curation": RECIPE}) as project:
        table = synthesised(project.settings.curation, clips)
        path = project.table("curated_clips")
        tables.write_columns(path, table, MOTION_RECHECK)
        _keep_scores(project, table)
        tables.write(project.table("raw_videos"), [{"seconds": 8.0}], RAW_VIDEOS)
        tables.write(
            project.table("clips"), [{"start_frame": 0, "end_frame": 192, "fps": 24.0, "seconds": 8.0}], CLIPS_OF_FILES
        )
        tables.write_columns(project.table("text_crop"), before_aesthetics(table), TEXT_CROP)
        before = table["rejected_by"]
        del table
        strict, megabytes = stricter(project), path.stat().st_size / 1e6
        began = time.process_time()
        reading, deciding, writing = redecided(strict)
        processor = time.process_time() - began
        changed = _changed(before, tables.read_columns(path, ["rejected_by"])["rejected_by"])
        seconds = _in_rows(strict, clips)
        chain = {name: _timed(lambda name=name: STEPS[name].load()(strict))[1] for name in CHAIN}
        verdicts = tables.read_columns(path, ["rejected_by"])
        if _changed(before, verdicts["rejected_by"]) != changed:
            raise RuntimeError("the steps decided otherwise than the rules over the whole table")
        _make_up_images(strict, clips)
        images = _timed(lambda: STEPS["curated_images"].load()(strict))[1]
    return Figures(clips, megabytes, changed, reading, deciding, writing, processor, seconds, chain, images)


def redecided(project: Project) -> tuple[float, float, float]:
    """Judge the table `curated_clips` by the project's rules: seconds of reading, deciding and writing it."""
    path = project.table("curated_clips")
    table, reading = _timed(lambda: tables.read_columns(path, [*VERDICT, *RULED_SCORES]))
    decided, deciding = _timed(lambda: decide(table, project.settings.curation))
    _, writing = _timed(lambda: tables.rewrite(path, path, decided.select(VERDICT), MOTION_RECHECK))
    return reading, deciding, writing


def synthesised(curation: Curation, clips: int, seed: int = 0) -> pa.Table:
    """A table `curated_clips` with columns as long as real ones, decided by the rules; scores end where a real run
    would have stopped measuring. Roughly half of the clips stay, as in the paper."""
    draw = np.random.default_rng(seed)
    slices = clips // 2 + 1
    of_slice = np.arange(clips) // 2
    of_source = of_slice // 10
    start = (np.arange(clips) % 20) * 96
    names = _hashes(draw, clips, 8)
    hashes = _hashes(draw, int(of_source.max()) + 1, 32)
    boxes = np.array(["[[], [], [], [], [], [], [], []]", str([[[40, 600, 420, 470]]] * 8)])
    with_text = draw.random(clips) < 0.2
    crops = pa.array([None, [0, 640, 0, 420]], pa.list_(pa.int64()))
    columns = {
        "clip_id": names,
        "source_id": hashes.astype("U16")[of_source],
        "root": pa.array(["/data/films"] * clips),
        "path": np.array([f"part{number // 1000:04d}/film{number:07d}.mp4" for number in range(len(hashes))])[
            of_source
        ],
        "sha256": hashes[of_source],
        "start_frame": start,
        "end_frame": start + 96,
        "seconds": np.full(clips, 4.0),
        "frame_times": pa.nulls(clips, pa.list_(pa.float64())),
        "fps": np.full(clips, 24.0),
        "width": np.full(clips, 640),
        "height": np.full(clips, 480),
        "crop": crops.take(pa.array(with_text.astype(int))),
        "parent": names[of_slice],
        "cut_probabilities": pa.nulls(clips, pa.list_(pa.float64())),
        "safety": pa.nulls(clips, pa.float64()),
        "sampled_frames": _lists(slices, np.arange(slices * SERIES) % SERIES * 3).take(pa.array(of_slice)),
        "cut_distances": _lists(slices, draw.gamma(2, 0.03, slices * SERIES).astype(np.float32)).take(
            pa.array(of_slice)
        ),
        "text_boxes": boxes[with_text.astype(int)],
        "central_text": np.zeros(clips),
        "motion": draw.gamma(2, 0.03, clips).round(6)
        + draw.choice([0.0, 0.4, -1.0], clips, p=[0.95, 0.03, 0.02]).clip(0),
        "aesthetic": draw.normal(4.9, 0.6, clips).round(6),
        "technical": draw.gamma(6, 5.0, clips).round(6),
    }
    columns["motion_cropped"] = np.where(with_text, columns["motion"] * 0.9, columns["motion"])
    for step in ("shots", "text_crop", "aesthetics", "technical_quality", "motion_recheck"):
        columns[f"{step}_scorer"] = pa.array([as_column(identity(step, curation))]).take(pa.array(np.zeros(clips, int)))
    columns["motion_scorer"] = columns["shots_scorer"]
    columns |= {name: pa.nulls(clips, pa.string()) for name in ("licence", "rejected_by", "reason_code", "reason")}
    columns |= {f"{name}_scorer": pa.nulls(clips, pa.string()) for name in ("shot_boundaries", "safety")}
    columns["technical_scaled"] = pa.nulls(clips, pa.float64())
    whole = pa.table({name: pa.array(columns[name]) for name in MOTION_RECHECK.names}).cast(MOTION_RECHECK)
    return _as_far_as_measured(decide(whole, curation))


def before_aesthetics(curated: pa.Table) -> pa.Table:
    """The table `text_crop` from which a table `curated_clips` was made."""
    earlier = pc.is_in(curated["rejected_by"], pa.array(["shots", "motion", "text_crop"]))
    for name in ("rejected_by", "reason_code", "reason"):
        kept = pc.if_else(earlier, curated[name], None)
        curated = curated.set_column(curated.column_names.index(name), name, kept)
    return curated.select(TEXT_CROP.names)


def _as_far_as_measured(table: pa.Table) -> pa.Table:
    """Without the scores of steps after the one that rejected a clip."""
    order = ["motion", "text_crop", "aesthetics", "technical_quality", "motion_recheck"]
    new = {
        "text_crop": ("crop", "text_boxes", "central_text", "text_crop_scorer"),
        "aesthetics": ("aesthetic", "aesthetics_scorer"),
        "technical_quality": ("technical", "technical_quality_scorer"),
        "motion_recheck": ("motion_cropped", "motion_recheck_scorer"),
    }
    for step, columns in new.items():
        out = pc.fill_null(pc.is_in(table["rejected_by"], pa.array(order[: order.index(step)])), False)
        row = pc.if_else(out, None, pa.array(np.arange(len(table))))
        for name in columns:
            table = table.set_column(table.column_names.index(name), name, table[name].take(row))
    return table


def _keep_scores(project: Project, table: pa.Table) -> None:
    """Put the scores of the table into the store, as if every clip had been measured."""
    curation = project.settings.curation
    with ScoreStore.of(project) as store:
        for step, column in (("aesthetics", "aesthetic"), ("technical_quality", "technical")):
            _put(store, step, identity(step, curation), table, column, lambda score: score)
        cropped = table.filter(pc.is_valid(table["crop"]))
        made_by = identity("motion_recheck", curation)
        _put(store, "motion_recheck", made_by, cropped, "motion_cropped", lambda score: [score] * 8)
        draw, made_by = np.random.default_rng(1), identity("near_duplicates", curation)
        # no two clips show the same
        _put(store, "near_duplicates", made_by, table, "clip_id", lambda _: _hashes(draw, 4, 8).tolist())


def _put(store: ScoreStore, step: str, made_by: Any, table: pa.Table, column: str, value: Callable[[Any], Any]) -> None:
    """The column's scores, by the table's `clip_id`, or its `sha256` if it is of images."""
    subject = "clip_id" if "clip_id" in table.column_names else "sha256"
    found = store.remember(step, made_by, "video" if subject == "clip_id" else "image")
    rows = table.filter(pc.is_valid(table[column]))
    columns = (rows[name].to_pylist() for name in (subject, "sha256", column))
    store.put(
        Score(score_key(found, name), sha256, step, value(score)) for name, sha256, score in zip(*columns, strict=True)
    )


def _make_up_images(project: Project, images: int, seed: int = 0) -> None:
    """Write `raw_images`, and put a score of every step for each into the store; no two show the same."""
    draw, curation = np.random.default_rng(seed), project.settings.curation
    content = _hashes(draw, images, 32)
    files = {
        "source_id": content.astype("U16"),
        "root": np.full(images, "/data/images"),
        "path": np.array([f"part{number // 1000:04d}/{number:07d}.jpg" for number in range(images)]),
        "sha256": content,
        "width": np.full(images, 1024),
        "height": np.full(images, 768),
    }
    columns = {name: files.get(name, pa.nulls(images)) for name in RAW_IMAGES.names}
    table = pa.table({name: pa.array(column) for name, column in columns.items()}).cast(RAW_IMAGES)
    tables.write_columns(project.table("raw_images"), table, RAW_IMAGES)
    scores = {
        "aesthetics": draw.normal(4.9, 0.6, images),
        "technical_quality": draw.gamma(6, 5.0, images),
        "near_duplicates": _hashes(draw, images, 8),
    }
    with ScoreStore.of(project) as store:
        for step, values in scores.items():
            with_values = table.append_column("value", pa.array(values))
            _put(
                store,
                step,
                identity(step, curation, "image"),
                with_values,
                "value",
                lambda value: [value] if isinstance(value, str) else value,
            )


def _in_rows(project: Project, clips: int) -> float:
    """Seconds that all clips would take as Python rows, from the first of them."""
    some, path = min(clips, ROW_BY_ROW), project.data / "some.parquet"
    tables.write_columns(path, tables.read_columns(project.table("curated_clips")).slice(0, some), MOTION_RECHECK)
    curation = project.settings.curation
    work = _timed(lambda: tables.write(path, row_by_row(tables.read(path), curation), MOTION_RECHECK))
    return work[1] * clips / some


def stricter(project: Project) -> Project:
    """The same project by the other limit."""
    rules = {**RECIPE, "rules": {"aesthetic": {"minimum": STRICT}}}
    (project.root / "params.yaml").write_text(yaml.safe_dump({"preset": "tiny", "curation": rules}), encoding="utf-8")
    return Project(project.root)


def row_by_row(rows: list[Row], curation: Curation) -> list[Row]:
    """What `decide` does, for Python rows."""
    steps = {ruled.step: score for score, ruled in RULED_SCORES.items()}
    return [_judged(row, steps, curation) for row in rows]


def _judged(row: Row, steps: dict[str, str], curation: Curation) -> Row:
    if row["rejected_by"] is not None and row["rejected_by"] not in steps:
        return row
    row = {**row, "rejected_by": None, "reason_code": None, "reason": None}
    for step, score in steps.items():
        found = rejection(curation, score, row[score])
        if found is not None:
            return judged(row, step, found)
    return row


def _changed(before: pa.ChunkedArray, after: pa.ChunkedArray) -> int:
    return pc.sum(pc.not_equal(pc.fill_null(before, ""), pc.fill_null(after, ""))).as_py()


def _hashes(draw: np.random.Generator, count: int, size: int) -> np.ndarray:
    digits = draw.bytes(count * size).hex()
    return np.array([digits[start : start + 2 * size] for start in range(0, len(digits), 2 * size)])


def _lists(count: int, values: np.ndarray) -> pa.ListArray:
    offsets = pa.array(np.arange(0, len(values) + 1, len(values) // count, dtype=np.int32))
    return pa.ListArray.from_arrays(offsets, pa.array(values))


def _timed(work: Callable[[], Result]) -> tuple[Result, float]:
    started = time.perf_counter()
    result = work()
    return result, time.perf_counter() - started


def report(figures: Figures) -> Report:
    clips, whole, chain = figures.clips, figures.whole, sum(figures.chain.values())
    rows = [
        ("another limit over the table", whole),
        ("of which reading scores and verdicts", figures.reading),
        ("of which deciding", figures.deciding),
        ("of which writing the whole table anew", figures.writing),
        ("processor time of it, all cores together", figures.processor),
        ("the same with Python rows", figures.row_by_row),
        ("the steps from `aesthetics` on, scores read from the store", chain),
        *((f"of which {name}", seconds) for name, seconds in figures.chain.items()),
        ("`curated_images`, as many images, scores read from the store", figures.images),
    ]
    return Report(
        "Another threshold",
        f"{clips:,} clips are decided anew in {whole:.1f} s ({figures.processor:.1f} s of processor time), "
        f"{figures.row_by_row / whole:.0f} times as fast as row by row.",
        ("", "seconds", "rows a second"),
        [(name, f"{seconds:.2f}", f"{clips / seconds:,.0f}") for name, seconds in rows],
        (
            f"The limit of the aesthetic score goes from {LOOSE:g} to {STRICT:g}; {figures.changed:,} verdicts "
            "change. No video is opened.",
            f"A made-up table `curated_clips` of all its columns, {figures.megabytes:,.0f} MB: each clip with the "
            f"{SERIES} distances of its slice. Reading and writing Parquet are in.",
            f"Python rows: the rules one clip at a time between reading and writing, from {ROW_BY_ROW:,} clips.",
        ),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=CLIPS, help=f"clips of the table; {CLIPS:,} by default")
    clips = parser.parse_args().clips
    console = Console()
    with console.status("making up a table and deciding it"):
        figures = measure(clips)
    result = report(figures)
    result.show(console)
    if clips == CLIPS:
        result.write()


if __name__ == "__main__":
    main()
