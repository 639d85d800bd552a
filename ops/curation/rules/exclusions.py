"""What a person has left out by name, whatever its scores."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ops.catalogue.reasons import Reason
from ops.config import Curation
from ops.curation.rules.decisions import still_in, with_rejections
from ops.curation.rules.reasons import Rejection


def without_excluded(table: pa.Table, step: str, column: str, curation: Curation) -> pa.Table:
    """The table with those of its rows rejected by the step whose id, in that column, the recipe excludes. What is out
    already keeps its verdict."""
    if not curation.exclude:
        return table
    excluded = {each.id: each.because for each in curation.exclude}
    ids = table[column].cast(pa.string())
    named = pc.is_in(ids, pa.array(list(excluded), pa.string())).to_numpy()
    told = {
        int(row): Rejection(Reason.EXCLUDED, f"named in curation.exclude: {excluded[ids[row].as_py()]}")
        for row in np.flatnonzero(named & still_in(table))
    }
    return with_rejections(table, step, told)
