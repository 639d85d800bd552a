"""What a run made, or found made, as Dagster recorded it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dagster import DagsterInstance

DATA_VERSION = "dagster/data_version"


def made_by(instance: DagsterInstance, run_id: str) -> dict[str, str]:
    """Asset → its data version, of every asset that this run has materialised."""
    import dagster as dg

    made: dict[str, str] = {}
    cursor, more = None, True
    while more:
        found = instance.get_records_for_run(run_id, cursor, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
        for record in found.records:
            materialization = record.asset_materialization
            if materialization is not None and materialization.tags:
                made[materialization.asset_key.to_user_string()] = materialization.tags.get(DATA_VERSION, "")
        cursor, more = found.cursor, found.has_more
    return made


def last_run(instance: DagsterInstance) -> str | None:
    """The id of the run that began last."""
    runs = instance.get_runs(limit=1)
    return runs[0].run_id if runs else None
