"""What starts curation: files in the source folders that were added, changed or removed, once they are left alone."""

import json
import time

import dagster as dg

from ops.curation.sources.arrivals import Watch, is_due, look
from ops.runtime import decisions
from ops.runtime.decisions import Decision
from ops.runtime.project import Project
from pipelines import dagster_home, run_tags, runs
from pipelines.defs.automation.jobs import CURATION
from pipelines.resources.project import ProjectResource

ABOUT = "curation"
SECONDS_BETWEEN_TICKS = 30
"""How often the settings are read; how often the folders are looked at is one of them."""


@dg.definitions
def new_source_files() -> dg.Definitions:
    @dg.sensor(
        name="new_source_files",
        job_name=CURATION,
        minimum_interval_seconds=SECONDS_BETWEEN_TICKS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Starts curation when files in the source folders were added, changed or removed and nothing has "
        "changed there for automation.quiet_seconds. One curation at a time.",
    )
    def sensor(context: dg.SensorEvaluationContext, project: ProjectResource) -> dg.SensorResult:
        home, before, now = project.get(), Watch(**json.loads(context.cursor or "{}")), time.time()
        if not is_due(home, before, now):
            return dg.SensorResult(skip_reason="not yet time to look again (automation.watch_seconds)")
        runs.close_lost(context.instance, dagster_home.sockets(home))
        return _look(context.instance, home, before, now)

    return dg.Definitions(sensors=[sensor])


def _look(instance: dg.DagsterInstance, home: Project, before: Watch, now: float) -> dg.SensorResult:
    from ops.config import ConfigError
    from ops.curation.sources.listing import listing_fingerprint

    try:
        found = look(home, before, now)
        listing = listing_fingerprint(home) if found.ready else None
    except ConfigError as error:  # a folder that is not there, or empty: a person's business, told once
        return _no(home, Watch(looked=now), str(error), record=True)
    if listing is None:
        return _no(home, found.watch, found.reason, record=bool(found.changed))
    if at_work := runs.underway(instance).curation:
        reason = f"{found.reason}; they are looked at when the curation under way has ended (run {at_work})"
        return _no(home, Watch(looked=now, waiting_since=before.waiting_since or now), reason, record=True)
    if failed := _failed_on(instance, listing):
        reason = f"{found.reason}; curation of just these files failed before (run {failed}): start it by hand"
        return _no(home, found.watch, reason, record=True)
    decisions.record(home, Decision(ABOUT, True, found.reason))
    tags = {run_tags.REASON: found.reason, run_tags.LISTING: listing}
    return dg.SensorResult([dg.RunRequest(tags=tags)], cursor=_cursor(found.watch))


def _failed_on(instance: dg.DagsterInstance, listing: str) -> str | None:
    """The last run for these very files, if it did not succeed: it would fail again, every few minutes."""
    ended = instance.get_runs(dg.RunsFilter(tags={run_tags.LISTING: listing}), limit=1)
    return next((run.run_id for run in ended if run.status != dg.DagsterRunStatus.SUCCESS), None)


def _no(home: Project, watch: Watch, reason: str, record: bool) -> dg.SensorResult:
    if record:
        decisions.record(home, Decision(ABOUT, False, reason), repeat=False)
    return dg.SensorResult(skip_reason=reason, cursor=_cursor(watch))


def _cursor(watch: Watch) -> str:
    return json.dumps(watch.as_json())
