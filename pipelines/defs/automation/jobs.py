"""The jobs that people, schedules and sensors start."""

import dagster as dg

from ops.steps import STEPS

LINEAGE = "lineage"
CURATION = "curation"
JOB_TAG = "soraflow/job"
"""By which `dagster.yaml` has no two runs of one of these jobs at work at a time."""


@dg.definitions
def jobs() -> dg.Definitions:
    return dg.Definitions(
        jobs=[
            dg.define_asset_job(
                LINEAGE,
                tags={JOB_TAG: LINEAGE},
                selection=dg.AssetSelection.all(),
                description="Everything, from the source files to the champion. What is up to date is only recorded.",
            ),
            dg.define_asset_job(
                CURATION,
                tags={JOB_TAG: CURATION},
                selection=dg.AssetSelection.assets(*STEPS),
                description="The dataset alone: curation, captions, training set and report.",
            ),
        ]
    )
