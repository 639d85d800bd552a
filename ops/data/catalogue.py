"""All tables by name, in the chapters of docs/data_contract.md: what each column means, and what is expected of it."""

from __future__ import annotations

from ops.catalogue import STEPS
from ops.data import columns
from ops.runtime.columns import Column, Table

CHAPTERS: dict[str, tuple[Table, ...]] = {
    "Curation": tuple(step.table for step in STEPS.values()),
    "Captions and training set": (columns.CAPTIONS, columns.TRAINING_SET, columns.BUCKETS),
    "Caches": (columns.LATENTS, columns.TEXT_EMBEDDINGS),
}
TABLES = {table.name: table for tables in CHAPTERS.values() for table in tables}


def column(table: str, name: str) -> Column:
    """A column of a table.

    Raises:
        KeyError: the table has no such column, or is none; a stored one may have columns of an earlier version.
    """
    return TABLES[table].column(name)
