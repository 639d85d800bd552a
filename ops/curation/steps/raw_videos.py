"""The video files of the recipe's source, each decoded once and described as it really is."""

from __future__ import annotations

from ops.catalogue import CurationStep
from ops.curation.inspection import inspect_sources
from ops.curation.rules.video_kinds import excluded
from ops.curation.sources.probe import probe
from ops.runtime.project import Project


def raw_videos(project: Project, step: CurationStep) -> None:
    """Write `raw_videos`: one row a file; those that cannot be used keep their row with the reason."""
    curation = project.settings.curation
    inspect_sources(project, step.name, probe, step.table.schema, lambda row: excluded(row, curation))
