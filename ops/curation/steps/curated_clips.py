"""The end of the funnel: all clips with all their scores, those that are kept and those that are not, of which some
are out because a person has said so."""

from __future__ import annotations

import shutil

from ops.catalogue import CurationStep
from ops.curation.rules.decisions import VERDICT
from ops.curation.rules.exclusions import without_excluded
from ops.curation.rules.verdicts import demand_some_kept
from ops.curation.runs.records import write_record
from ops.curation.steps.scored_step import finish
from ops.runtime import tables
from ops.runtime.files import replacing
from ops.runtime.project import Project

ID = "clip_id"


def curated_clips(project: Project, step: CurationStep) -> None:
    """Write `curated_clips`, and the record of this run (`run_records`).

    Raises:
        NothingKept: there were clips, and none is left; the message shows the funnel.
    """
    path = project.table(step.name)
    source, curation = tables.there(project.table(step.input)), project.settings.curation
    if curation.exclude:
        verdicts = without_excluded(tables.read_columns(source, [ID, *VERDICT]), step.name, ID, curation)
        finish(project, step, verdicts.select(VERDICT))
    else:
        with replacing(path) as temporary:
            shutil.copyfile(source, temporary)
    write_record(project, "video")
    demand_some_kept(path, "clips")
