"""The end of the funnel: all clips with all their scores, those that are kept and those that are not."""

from __future__ import annotations

import shutil

from ops.catalogue import CurationStep
from ops.curation.rules.verdicts import demand_some_kept
from ops.curation.runs.records import write_record
from ops.runtime import tables
from ops.runtime.files import replacing
from ops.runtime.project import Project


def curated_clips(project: Project, step: CurationStep) -> None:
    """Write `curated_clips`, and the record of this run (`run_records`).

    Raises:
        NothingKept: there were clips, and none is left; the message shows the funnel.
    """
    path = project.table(step.name)
    with replacing(path) as temporary:
        shutil.copyfile(tables.there(project.table(step.input)), temporary)
    write_record(project, "video")
    demand_some_kept(path, "clips")
