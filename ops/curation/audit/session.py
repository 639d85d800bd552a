"""One sitting of an audit: the table, the sample, the verdicts so far, and what the page is told about them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ops.curation.audit.precision import Estimate, precision
from ops.curation.audit.preview import Preview, about, preview, series
from ops.curation.audit.retention import COLUMNS, STEPS, browser_row, changed, limits, place
from ops.curation.audit.sample import draw, ranked, strata, stratum
from ops.curation.audit.verdict_store import AuditError, Entry, Judgement, VerdictStore
from ops.curation.timeline import seconds
from ops.runtime import tables
from ops.runtime.project import Project
from ops.runtime.tables import Row

TABLE = "curated_clips"
MOST_ROWS = 100_000
"""More clips than this are not sent to the page: its sliders then work on a random sample of as many."""


@dataclass(frozen=True)
class Audit:
    """`rows` is the whole table, `sample` the clips to judge in the order in which they are shown."""

    project: Project
    rows: list[Row]
    sample: list[Row]
    seed: int
    version: str
    store: VerdictStore

    @classmethod
    def of(cls, project: Project, count: int, seed: int) -> Audit:
        """Draw the sample.

        Raises:
            FileNotFoundError: the clips have not been curated yet.
            AuditError: there is no clip, or the file of verdicts is damaged.
        """
        rows = tables.read(project.table(TABLE))
        if not rows:
            raise AuditError(f"{project.table(TABLE)} holds no clips: set sources.videos and run the curation")
        store = VerdictStore.of(project)
        store.read()
        return cls(project, rows, draw(rows, count, seed), seed, table_version(project.table(TABLE)), store)

    @cached_property
    def clips(self) -> dict[str, Row]:
        """The sample by clip id."""
        return {row["clip_id"]: row for row in self.sample}

    @cached_property
    def sizes(self) -> dict[str, int]:
        """How many clips of the table each stratum has, in the order of the funnel."""
        found = strata(self.rows)
        return {name: len(found[name]) for name in sorted(found, key=place)}

    def preview(self, clip_id: str) -> Preview:
        return preview(self.clips[clip_id], self.project.settings.curation.shots)

    def judge(self, clip_id: str, entry: Entry) -> Judgement:
        """Write a verdict down.

        Raises:
            KeyError: the clip is not of this sample.
        """
        return self.store.append(clip_id, entry, self.version, self.clips[clip_id]["rejected_by"])

    def verdicts(self) -> dict[str, Entry]:
        """The standing verdicts on the clips of this sample, whenever they were given, the latest at the end."""
        standing = self.store.standing().items()
        return {clip_id: judgement.verdict for clip_id, judgement in standing if clip_id in self.clips}

    def precision(self) -> dict[str, Estimate]:
        found = self.verdicts().items()
        return precision(self.sizes, [(stratum(self.clips[clip_id]), verdict) for clip_id, verdict in found])

    def page(self, token: str) -> dict[str, object]:
        """All that the page shows, as JSON values."""
        settings = self.project.settings
        measured = self.rows if len(self.rows) <= MOST_ROWS else ranked(self.rows, self.seed)[:MOST_ROWS]
        return {
            "token": token,
            "preset": settings.name,
            "version": self.version,
            "seed": self.seed,
            "clips": [self._clip(row) for row in self.sample],
            "verdicts": list(self.verdicts().items()),
            "strata": self.sizes,
            "changed": changed(self.rows, settings.curation),
            "total": len(self.rows),
            "steps": STEPS,
            "scored": list(COLUMNS),
            "limits": [vars(limit) for limit in limits(settings.curation)],
            "rows": [browser_row(row) for row in measured],
        }

    def _clip(self, row: Row) -> dict[str, object]:
        names = ("clip_id", "path", "start_frame", "end_frame", "rejected_by", "reason")
        return {
            **{name: row[name] for name in names},
            "seconds": seconds(row),
            "stratum": stratum(row),
            "measured": browser_row(row),
            "preview": about(row, self.preview(row["clip_id"])),
            "series": series(row, self.project.settings.curation),
        }


def table_version(path: Path) -> str:
    """DVC's hash of the table as it lies on disk, committed or not: the MD5 of its bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
