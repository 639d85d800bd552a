"""Curation of still pictures: what is known of them, then aesthetics and technical quality with the scorers of the
clips, of text-bearing pictures what is written in them, and last which of them repeat others."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa

from ops.config import Curation
from ops.curation.measuring.image_scores import ASSET, FILE, identity, measured, ratings
from ops.curation.rules import repeats
from ops.curation.rules.decisions import VERDICT, decide, still_in, with_failures, with_rejections
from ops.curation.rules.image_rules import (
    FACTS,
    RATINGS,
    REPEATS,
    TEXT,
    by_collection,
    decide_by_facts,
    readable,
    text_reason,
    with_own_rules,
)
from ops.curation.rules.verdicts import demand_some_kept
from ops.curation.runs.records import write_record
from ops.curation.scorers import as_column
from ops.curation.steps.scored_step import constant, with_score
from ops.curation.tables import CURATED_IMAGES, RAW_IMAGES
from ops.runtime import tables
from ops.runtime.project import Project


def curated_images(project: Project) -> None:
    """Write `curated_images`, and the record of this run.

    Raises:
        MissingWeights: a scorer of the recipe cannot run here.
        NothingKept: there were images, and none is left; the message shows the funnel.
        TooManyParked: scoring failed for more images than the recipe allows.
    """
    source, path = project.table("raw_images"), project.table(ASSET)
    table = tables.read_columns(source, list(dict.fromkeys(("source_id", *FILE, *FACTS, *VERDICT))))
    table = decide_by_facts(table, project.settings.curation)
    for step in ratings(project.settings.curation):
        table = _rated(project, table, step, RATINGS[step])
    table = _read(project, table)
    table = _without_repeats(project, table)
    for name in _ADDED:  # nobody has measured what the recipe has switched off
        if name not in table.column_names:
            table = table.append_column(name, pa.nulls(len(table), CURATED_IMAGES.field(name).type))
    tables.rewrite(path, source, table.select([*VERDICT, *_ADDED]), CURATED_IMAGES)
    write_record(project, "image")
    demand_some_kept(path, "images")


_ADDED = [name for name in CURATED_IMAGES.names if name not in RAW_IMAGES.names]


def _rated(project: Project, table: pa.Table, step: str, score: str) -> pa.Table:
    """The table with a score of every picture still in, decided by the rules of its collection."""
    curation = project.settings.curation
    found, failures = measured(project, step, table, still_in(table))
    numbers = np.full(len(table), np.nan)
    numbers[found.rows] = found.numbers()
    table = with_score(table, step, score, numbers, failures, as_column(identity(step, curation)))
    table = with_failures(table, ASSET, failures)
    for collection, its_rows in by_collection(table).items():
        table = decide(table, with_own_rules(collection, curation), [score], its_rows)
    return table


def _read(project: Project, table: pa.Table) -> pa.Table:
    """The table with what is written in the text-bearing pictures, without those that bear none, or no English."""
    curation = project.settings.curation
    of_text = by_collection(table).get("text", np.full(len(table), False))
    found, failures = measured(project, TEXT, table, still_in(table) & of_text)
    lines = found.values()
    written = pa.array([json.dumps(lines[row], ensure_ascii=False) for row in lines], pa.string())
    texts = pa.array([readable(lines[row], curation) for row in lines], pa.list_(pa.string()))
    place = np.full(len(table), -1)
    place[found.rows] = np.arange(len(lines))
    taken = pa.array(place, mask=place < 0)
    table = table.append_column("text_lines", written.take(taken)).append_column(TEXT, texts.take(taken))
    table = table.append_column(f"{TEXT}_scorer", constant(as_column(identity(TEXT, curation)), place >= 0))
    told = {row: reason for row in lines if (reason := text_reason(lines[row], curation))}
    return with_rejections(with_failures(table, ASSET, failures), TEXT, told)


def _without_repeats(project: Project, table: pa.Table) -> pa.Table:
    """The table with the hash of every picture still in, of which those stay that repeat no better one."""
    curation = project.settings.curation
    if not curation.near_duplicates.enabled:
        return table
    found, failures = measured(project, REPEATS, table, still_in(table))
    table = repeats.with_hashes(table, found.values(), as_column(identity(REPEATS, curation)))
    table = with_failures(table, ASSET, failures)
    return repeats.without_repeats(table, lambda left: _originals(left, curation), "source_id", _described)


def _originals(table: pa.Table, curation: Curation) -> np.ndarray:
    """For each picture the number of the better one that it repeats: the one with the most pixels, then the first by
    `source_id`, so that the order of the rows makes no difference."""
    pixels = table["width"].to_numpy() * table["height"].to_numpy()
    best_first = np.lexsort((np.array(table["source_id"].to_pylist(), dtype=str), -pixels))
    return repeats.originals(table, best_first, curation.near_duplicates.max_distance)


def _described(table: pa.Table, row: int) -> str:
    return f"{table['path'][row]}, which has {table['width'][row]}x{table['height'][row]} pixels"
