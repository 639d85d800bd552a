"""Curation of still pictures: what is known of them, then aesthetics and technical quality with the scorers of the
clips, of text-bearing pictures what is written in them, and last which of them repeat others."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa

from ops.catalogue import CurationStep
from ops.config import Curation
from ops.curation.measuring.scoring import PICTURE, PICTURES, measured
from ops.curation.rules import repeats
from ops.curation.rules.decisions import VERDICT, decide, still_in, with_failures, with_rejections
from ops.curation.rules.exclusions import without_excluded
from ops.curation.rules.image_rules import (
    FACTS,
    RATINGS,
    TEXT,
    by_collection,
    decide_by_facts,
    ratings,
    readable,
    text_reason,
    with_own_rules,
)
from ops.curation.rules.verdicts import demand_some_kept
from ops.curation.runs.records import write_record
from ops.curation.scorers import as_column, identity
from ops.curation.steps.scored_step import constant, finish, with_score
from ops.runtime import tables
from ops.runtime.project import Project

COMPARED = ("source_id", "path", "width", "height", "perceptual_hash")
"""What tells which of two pictures is the better one, and whether they show the same."""


def curated_images(project: Project, step: CurationStep) -> None:
    """Write `curated_images`, and the record of this run.

    Raises:
        MissingWeights: a scorer of the recipe cannot run here.
        NothingKept: there were images, and none is left; the message shows the funnel.
        TooManyParked: scoring failed for more images than the recipe allows.
    """
    source, path = project.table(step.input), project.table(step.name)
    table = tables.read_columns(source, list(dict.fromkeys(("source_id", *PICTURE, *FACTS, *VERDICT))))
    table = decide_by_facts(table, project.settings.curation)
    table = without_excluded(table, step.name, "source_id", project.settings.curation)
    for measure in ratings(project.settings.curation):
        table = _rated(project, step, table, measure)
    table = _read(project, step, table)
    table = _without_repeats(project, step, table)
    added = {column.name for column in step.columns} & {*table.column_names}
    finish(project, step, table.select([*VERDICT, *added]))
    write_record(project, "image")
    demand_some_kept(path, "images")


def _rated(project: Project, step: CurationStep, table: pa.Table, measure: str) -> pa.Table:
    """The table with a score of every picture still in, decided by the rules of its collection."""
    curation, score = project.settings.curation, RATINGS[measure]
    found, failures = measured(project, PICTURES, measure, table, still_in(table))
    numbers = np.full(len(table), np.nan)
    numbers[found.rows] = found.numbers()
    table = with_score(table, measure, score, numbers, failures, as_column(identity(measure, curation, "image")))
    table = with_failures(table, step.name, failures)
    for collection, its_rows in by_collection(table).items():
        table = decide(table, with_own_rules(collection, curation), [score], its_rows)
    return table


def _read(project: Project, step: CurationStep, table: pa.Table) -> pa.Table:
    """The table with what is written in the text-bearing pictures, without those that bear none, or no English."""
    curation = project.settings.curation
    of_text = by_collection(table).get("text", np.full(len(table), False))
    found, failures = measured(project, PICTURES, TEXT, table, still_in(table) & of_text)
    lines = found.values()
    written = pa.array([json.dumps(lines[row], ensure_ascii=False) for row in lines], pa.string())
    texts = pa.array([readable(lines[row], curation) for row in lines], pa.list_(pa.string()))
    place = np.full(len(table), -1)
    place[found.rows] = np.arange(len(lines))
    taken = pa.array(place, mask=place < 0)
    table = table.append_column("text_lines", written.take(taken)).append_column(TEXT, texts.take(taken))
    table = table.append_column(f"{TEXT}_scorer", constant(as_column(identity(TEXT, curation, "image")), place >= 0))
    told = {row: reason for row in lines if (reason := text_reason(lines[row], curation))}
    return with_rejections(with_failures(table, step.name, failures), TEXT, told)


def _without_repeats(project: Project, step: CurationStep, table: pa.Table) -> pa.Table:
    """The table with the hash of every picture still in, of which those stay that repeat no better one."""
    curation = project.settings.curation
    if not curation.near_duplicates.enabled:
        return table
    found, failures = measured(project, PICTURES, repeats.STEP, table, still_in(table))
    table = repeats.with_hashes(table, found.lists(len(table)), as_column(identity(repeats.STEP, curation, "image")))
    table = with_failures(table, step.name, failures)
    return repeats.without_repeats(table, lambda left: _originals(left, curation), "source_id", _described, COMPARED)


def _originals(table: pa.Table, curation: Curation) -> np.ndarray:
    """For each picture the number of the better one that it repeats: the one with the most pixels, then the first by
    `source_id`, so that the order of the rows makes no difference."""
    pixels = table["width"].to_numpy() * table["height"].to_numpy()
    best_first = np.lexsort((repeats.as_bytes(table["source_id"]), -pixels))
    return repeats.originals(table, best_first, curation.near_duplicates.max_distance)


def _described(table: pa.Table, row: int) -> str:
    return f"{table['path'][row]}, which has {table['width'][row]}x{table['height'][row]} pixels"
