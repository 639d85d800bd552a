"""From a folder of sources to curated clips and images, in the order of the paper (arXiv 2412.00131, Table 5)."""

import dagster as dg

from ops.catalogue import STEPS
from pipelines.factories.dataset_asset import dataset_asset


@dg.definitions
def curation() -> dg.Definitions:
    return dg.Definitions(assets=[dataset_asset(name, group="curation") for name in STEPS])
