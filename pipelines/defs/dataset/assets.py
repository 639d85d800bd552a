"""From curated clips and images to a training set and its report."""

import dagster as dg

from pipelines.factories.dataset_asset import dataset_asset

GROUPS = {"captions": "captions", "training_set": "dataset", "dataset_report": "dataset"}


@dg.definitions
def dataset() -> dg.Definitions:
    return dg.Definitions(assets=[dataset_asset(name, group=group) for name, group in GROUPS.items()])
