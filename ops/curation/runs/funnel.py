"""The funnel of a curation: how much is left after every step, why the rest is out, and what measuring it has cost."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, TypedDict

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ops.catalogue import KINDS
from ops.catalogue.reasons import MEANINGS, Reason
from ops.curation.measuring.scores import ScoreStore
from ops.curation.rules.image_rules import ORDER as IMAGE_RULES
from ops.curation.rules.image_rules import RATINGS
from ops.curation.scorers import is_on
from ops.runtime import tables
from ops.runtime.project import Project
from ops.steps import CLIP_STEPS

IMAGE_STEPS = ("min_side", *RATINGS)
"""Shown where they are switched on; the rules of single collections are shown where they have rejected something."""
ERRORS = (Reason.FAILED, Reason.CRASHED, Reason.TOO_SLOW, Reason.OUT_OF_MEMORY)
"""Codes of what could not be measured, as opposed to what a rule does not want."""
MOST_REASONS = 5
_VERDICT = ("rejected_by", "reason_code", "reason")
SPAN = ("start_frame", "end_frame", "fps", "seconds")
Costs = Mapping[str, Mapping[str, Mapping[str, float]]]
"""What `costs` gives."""


class FunnelRow(TypedDict):
    """What a step left, and what it took."""

    kind: Literal["video", "image", "item"]
    step: str
    entered: int
    kept: int
    rejected: int
    errors: int
    """How many of those rejected could not be measured."""
    share: float
    """Of what the kind began with."""
    seconds: float | None
    """Of video left; None of others."""
    reasons: dict[str, int]
    """Sentence → count, most frequent first."""
    codes: dict[str, int]
    """Reason code → count, of all that have one."""


class Group(NamedTuple):
    """Rows of a table with one verdict, but for the measured number in its reason (`without_number`)."""

    rejected_by: str | None
    reason_code: str | None
    reason: str | None
    rows: int
    seconds: float


def costs(project: Project) -> dict[str, dict[str, dict[str, float]]]:
    """{`video` or `image`: {step: what its scores have cost so far}}, all that are kept, those of other settings too:
    `cpu_seconds`, `gpu_seconds` and `bytes` of pixels looked at. `decoding` is what all of them shared; `raw_videos`
    and `raw_images` have decoded every file before, to find out what it is, and their `bytes` are of files."""
    with ScoreStore.of(project) as store:
        return {kind: {step: cost._asdict() for step, cost in store.costs(kind).items() if any(cost)} for kind in KINDS}


def lengths(table: pa.Table) -> np.ndarray:
    """float64 [rows]: seconds of each clip, by the rate where a row does not tell them."""
    start, end, fps, told = (table[name] for name in SPAN)
    by_rate = pc.divide(pc.cast(pc.subtract(end, start), pa.float64()), fps)
    found: np.ndarray = pc.coalesce(told, by_rate).to_numpy()
    return found


def clip_funnel(project: Project) -> list[FunnelRow]:
    """Rows as `step_row` makes them, of videos and their clips; none without videos. The share of clips counts seconds
    of the slices, since shots cut one slice into several clips; that of files counts files. Steps that the recipe has
    switched off are left out: nothing was looked at there."""
    found = grouped_by_verdict(
        project.table("raw_videos"), ("seconds",), lambda part: pc.fill_null(part["seconds"], 0.0).to_numpy()
    )
    if not found:
        return []
    slices, clips = (grouped_by_verdict(project.table(name), SPAN, lengths) for name in ("clips", "curated_clips"))
    whole = _seconds(slices) or 1.0
    left = kept_of(found)
    out = [step_row("video", "raw_videos", left, rejected_of(found), rows_of(left) / rows_of(found))]
    out.append(step_row("video", "clips", kept_of(slices), rejected_of(slices), _seconds(kept_of(slices)) / whole))
    left, curation = clips, project.settings.curation
    for step in _order(clips, tuple(step for step in CLIP_STEPS[1:-1] if is_on(step, curation))):
        gone = [group for group in left if group.rejected_by == step]
        left = [group for group in left if group.rejected_by != step]
        if step != "clips":
            out.append(step_row("video", step, left, gone, _seconds(left) / whole))
    return out


def image_funnel(project: Project) -> list[FunnelRow]:
    """Rows as `step_row` makes them, of images; none without images."""
    files = pq.read_metadata(tables.there(project.table("raw_images"))).num_rows
    if not files:
        return []
    left = grouped_by_verdict(project.table("curated_images"))
    found, curation = {group.rejected_by for group in left}, project.settings.curation
    known = [step for step in IMAGE_RULES if step in found or (step in IMAGE_STEPS and is_on(step, curation))]
    out = []
    for step in _order(left, ("raw_images", *known)):
        gone = [group for group in left if group.rejected_by == step]
        left = [group for group in left if group.rejected_by != step]
        out.append(step_row("image", step, left, gone, rows_of(left) / files))
    return out


def grouped_by_verdict(
    table: Path, span: Sequence[str] = (), seconds: Callable[[pa.Table], np.ndarray] | None = None
) -> list[Group]:
    """The rows of a table by verdict, in the order of the first of each. `seconds` says how long each row of a part
    lasts, by the columns `span`."""
    known = set(tables.names_of(table))
    names = [name for name in _VERDICT if name in known]
    counted: dict[tuple[str | None, str | None, str | None], tuple[int, float]] = {}
    for part in tables.parts(table, [*names, *span]):
        lasts = np.zeros(len(part)) if seconds is None else seconds(part)
        grouped = part.select(names).append_column("lasts", pa.array(lasts)).group_by(names, use_threads=False)
        for row in grouped.aggregate([([], "count_all"), ("lasts", "sum")]).to_pylist():
            reason = row.get("reason")
            verdict = (row["rejected_by"], row.get("reason_code"), None if reason is None else without_number(reason))
            rows, sum_of = counted.get(verdict, (0, 0.0))
            counted[verdict] = (rows + row["count_all"], sum_of + row["lasts_sum"])
    return [Group(*verdict, rows, sum_of) for verdict, (rows, sum_of) in counted.items()]


def step_row(
    kind: Literal["video", "image", "item"], step: str, left: Sequence[Group], gone: Sequence[Group], share: float
) -> FunnelRow:
    codes: Counter[str] = Counter()
    for group in gone:
        if group.reason_code:
            codes[group.reason_code] += group.rows
    return {
        "kind": kind,
        "step": step,
        "entered": rows_of(left) + rows_of(gone),
        "kept": rows_of(left),
        "rejected": rows_of(gone),
        "errors": sum(codes[code] for code in ERRORS),
        "share": round(share, 6),
        "seconds": round(_seconds(left), 3) if kind == "video" else None,
        "reasons": _reasons(gone),
        "codes": {code: count for code, count in codes.most_common() if count},
    }


def rows_of(groups: Iterable[Group]) -> int:
    return sum(group.rows for group in groups)


def _seconds(groups: Iterable[Group]) -> float:
    return sum(group.seconds for group in groups)


def kept_of(groups: Iterable[Group]) -> list[Group]:
    return [group for group in groups if group.rejected_by is None]


def rejected_of(groups: Iterable[Group]) -> list[Group]:
    return [group for group in groups if group.rejected_by is not None]


def _order(groups: Iterable[Group], known: tuple[str, ...]) -> list[str]:
    """The known steps and, after them, whatever else rejected a row: no rejection may go uncounted."""
    others = {group.rejected_by for group in groups if group.rejected_by is not None} - set(known)
    return [*known, *sorted(others)]


def without_number(reason: str | None) -> str:
    """The reason with … for the measured number, which is the first of the sentence: what many rows share."""
    return re.sub(r"(?<![\w.])-?\d[\d.]*(?= | is )", "…", reason or "", count=1)


def _reasons(groups: Iterable[Group]) -> dict[str, int]:
    """Counted by code. A code is told by its sentence, if it has only one, and otherwise by its fixed meaning.

    Sentences that differ in the measured number only count as one.
    """
    sentences: dict[str, Counter[str]] = defaultdict(Counter)
    for group in groups:
        sentence = group.reason or ""
        sentences[group.reason_code or sentence][sentence] += group.rows
    counted: Counter[str] = Counter()
    for code, told in sentences.items():
        counted[next(iter(told)) if len(told) == 1 else MEANINGS[code]] += told.total()
    reasons = dict(counted.most_common(MOST_REASONS))
    if others := counted.total() - sum(reasons.values()):
        reasons["other reasons"] = others
    return reasons
