"""Scores of a folder of videos and the files that say them: two that read like VBench's, and one that says the rest."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path

from ops.evaluation.vbench.clips import Clip
from ops.evaluation.vbench.dimensions import Dimension
from ops.evaluation.vbench.score import metric_of
from ops.evaluation.vbench.totals import IncompleteScores, Totals, totals
from ops.metrics.base import Value
from ops.runtime.files import write_json
from ops.statistics.bootstrap import Interval

EXTRAS: dict[str, dict[str, str]] = {
    "background_consistency": {"total": "video_sim", "parts": "cnt_per_video"},
    "object_class": {"total": "success_frame_count", "parts": "frame_count"},
    "multiple_objects": {"total": "success_frame_count", "parts": "frame_count"},
    "scene": {"total": "success_frame_count", "parts": "frame_count"},
}
"""Dimension → term → how VBench's file calls it."""
BOOLEAN = ("dynamic_degree",)
"""Dimensions of which VBench's file says yes or no of a video."""


@dataclass
class FolderScore:
    """A dimension: its score with interval, or why there is none."""

    dimension: Dimension
    interval: Interval | None = None
    reason: str | None = None
    notes: list[str] = field(default_factory=list)
    found: int = 0
    expected: int | None = None
    """Videos; None of prompts of one's own."""
    rows: list[tuple[Clip, Value]] = field(default_factory=list)

    def counts(self, clip: Clip) -> bool:
        """Whether it is a video of the dimension's prompts; all are, of prompts of one's own."""
        return self.expected is None or (clip.asked is not None and self.dimension.name in clip.asked.dimensions)

    @property
    def partial(self) -> bool:
        return self.expected is not None and self.found < self.expected

    @property
    def mean(self) -> float | None:
        return self.interval.mean if self.interval else None

    def their_rows(self) -> list[dict[str, object]]:
        """One for each video with a value, as VBench's file has it."""
        name = self.dimension.name
        rows = []
        for clip, value in self.rows:
            if value.value is None:
                continue
            extras = {theirs: value.terms[ours] for ours, theirs in EXTRAS.get(name, {}).items()}
            result = bool(value.value) if name in BOOLEAN else value.value
            rows.append({"video_path": str(clip.path), "video_results": result, **extras})
        return rows

    def as_json(self) -> dict[str, object]:
        metric = metric_of(self.dimension.name)
        interval = asdict(self.interval) if self.interval else {}
        return {
            "score": interval.get("mean"),
            "low": interval.get("low"),
            "high": interval.get("high"),
            "videos": interval.get("count", 0),
            "found": self.found,
            "expected": self.expected,
            "partial": self.partial,
            "reason": self.reason,
            "notes": self.notes,
            "proof": metric.proof if metric else None,
            "quirks": list(metric.quirks) if metric else [],
            "without_a_value": {clip.path.name: value.reason for clip, value in self.rows if value.reason},
        }


@dataclass(frozen=True)
class FolderScores:
    scores: tuple[FolderScore, ...]
    problems: tuple[str, ...]
    """Of files: not of the suite, not readable, and the like."""
    totals: Totals | None
    totals_reason: str | None
    results: Path
    """The file that reads like VBench's."""


def write(
    to: Path,
    name: str,
    scores: tuple[FolderScore, ...],
    clips: list[Clip],
    problems: list[str],
    said: dict[str, object],
) -> FolderScores:
    """`NAME_eval_results.json` and `NAME_full_info.json` as VBench has them, and `NAME_scores.json` with `said` and all
    that those do not say."""
    found, why = _totals(scores)
    results = to / f"{name}_eval_results.json"
    measured = (score for score in scores if score.interval)
    write_json(results, {score.dimension.name: [score.mean, score.their_rows()] for score in measured})
    write_json(to / f"{name}_full_info.json", _their_prompts(clips))
    dimensions = {score.dimension.name: score.as_json() for score in scores}
    total = {"totals": asdict(found) if found else None, "totals_reason": why}
    write_json(to / f"{name}_scores.json", {**said, "dimensions": dimensions, **total, "problems": problems})
    return FolderScores(scores, tuple(problems), found, why, results)


def _totals(scores: tuple[FolderScore, ...]) -> tuple[Totals | None, str | None]:
    if any(score.expected is None for score in scores):
        return None, "VBench defines no total for prompts of one's own"
    if partial := [score.dimension.name for score in scores if score.partial and score.interval]:
        return None, f"no total of a part of the videos: {', '.join(partial)}"
    try:
        return totals({score.dimension.name: score.mean for score in scores}), None
    except IncompleteScores as error:
        return None, str(error)


def _their_prompts(clips: list[Clip]) -> list[dict[str, object]]:
    """The prompts of the videos with what the suite says of them, and the files."""
    found: dict[str, dict[str, object]] = {}
    files: dict[str, list[str]] = {}
    for clip in clips:
        row: dict[str, object] = {"prompt_en": clip.prompt}
        if clip.asked:
            row["dimension"] = list(clip.asked.dimensions)
        if clip.terms:
            row["auxiliary_info"] = {dimension: {**terms} for dimension, terms in clip.terms.items()}
        found.setdefault(clip.prompt, row)
        files.setdefault(clip.prompt, []).append(str(clip.path))
    return [{**row, "video_list": files[prompt]} for prompt, row in found.items()]
