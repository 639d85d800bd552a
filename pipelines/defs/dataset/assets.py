"""From curated clips and images to a training set and its report."""

import dagster as dg

from pipelines.factories.dataset_asset import dataset_asset


@dg.definitions
def dataset() -> dg.Definitions:
    return dg.Definitions(
        assets=[
            dataset_asset(
                "captions",
                group="captions",
                description="A caption for every curated clip and image, with who or what wrote it.",
            ),
            dataset_asset(
                "training_set",
                group="dataset",
                description="Samples in buckets of equal token count, split by source into train and held out.",
            ),
            dataset_asset(
                "dataset_report",
                group="dataset",
                description="The curation funnel, score histograms with their thresholds, and a grid of samples.",
            ),
        ]
    )
