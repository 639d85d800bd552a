"""The jobs that people, schedules and sensors start."""

import dagster as dg

from ops.steps import STEPS

LINEAGE = "lineage"
CURATION = "curation"


@dg.definitions
def jobs() -> dg.Definitions:
    return dg.Definitions(
        jobs=[
            dg.define_asset_job(
                LINEAGE,
                selection=dg.AssetSelection.all(),
                description="Everything, from the source files to the champion. What is up to date is only recorded.",
            ),
            dg.define_asset_job(
                CURATION,
                selection=dg.AssetSelection.assets(*STEPS),
                description="The dataset alone: curation, captions, training set and report.",
            ),
        ]
    )
