"""What starts a retraining: the schedule, or new data; and the record of why, and why not.

A sensor and no schedule of Dagster's, because it reads its settings at every look and comes back soon to a question
that could not be answered yet, instead of a week later.
"""

import json
import time
from dataclasses import asdict, dataclass, replace

import dagster as dg

from ops.release.retraining import Judgement, judge
from ops.runtime import decisions
from ops.runtime.decisions import Decision
from ops.runtime.project import Project
from ops.steps import STEPS
from pipelines import dagster_home, run_tags, runs
from pipelines.defs.automation import cron
from pipelines.defs.automation.jobs import LINEAGE
from pipelines.factories import metadata
from pipelines.resources.project import ProjectResource

ABOUT = "retraining"
SECONDS_BETWEEN_TICKS = 60
SHOWN = 10
"""Decisions on the champion's page."""


@dataclass(frozen=True)
class Ticks:
    """What one look remembers for the next."""

    schedule: str
    answered: float
    """The moment up to which the schedule's ticks are answered; seconds since the epoch."""
    asked_for: str | None = None
    """The version of the training set for which new data last started a retraining."""

    @property
    def cursor(self) -> str:
        return json.dumps(asdict(self))


@dg.definitions
def retraining() -> dg.Definitions:
    @dg.sensor(
        name="retraining",
        job_name=LINEAGE,
        minimum_interval_seconds=SECONDS_BETWEEN_TICKS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Retrains at a tick of automation.schedule (or, with automation.on_new_data, at once) when enough "
        "new clips and images were curated or a setting changed. One retraining at a time; while something stands in "
        "the way, it looks again every minute. The decisions are on the page of the asset champion.",
    )
    def sensor(context: dg.SensorEvaluationContext, project: ProjectResource) -> dg.SensorResult:
        home, now = project.get(), time.time()
        schedule = home.settings.automation.schedule
        ticks = Ticks(**json.loads(context.cursor)) if context.cursor else Ticks(schedule, now)
        if ticks.schedule != schedule:  # the new one begins now: it has no ticks to make up for
            ticks = replace(ticks, schedule=schedule, answered=now)
        scheduled = cron.last_tick(schedule, now) > ticks.answered
        fresh = _fresh_version(home, ticks)
        if not scheduled and not fresh:
            upcoming = f"next tick {cron.next_tick(schedule, now):%a %d %b %H:%M} UTC"
            return dg.SensorResult(skip_reason=upcoming, cursor=ticks.cursor)
        runs.close_lost(context.instance, dagster_home.sockets(home))
        found = judge(home, runs.underway(context.instance), any_number=bool(fresh))
        if not found.passing:
            ticks = replace(ticks, answered=now, asked_for=fresh or ticks.asked_for)
        return _result(home, found, ticks, context.repository_def)

    return dg.Definitions(sensors=[sensor])


def _fresh_version(home: Project, ticks: Ticks) -> str | None:
    """With `automation.on_new_data`, a version of the training set that has not been asked about yet."""
    from ops.data.dvc import MissingVersion, version

    if not home.settings.automation.on_new_data:
        return None
    try:
        now = version(home, "training_set")
    except MissingVersion:
        return None
    return now if now != ticks.asked_for else None


def _result(
    home: Project, found: Judgement, ticks: Ticks, repository: dg.RepositoryDefinition | None
) -> dg.SensorResult:
    decision = Decision(ABOUT, found.retrain, found.reason, found.new_items)
    news = decisions.record(home, decision, repeat=not found.passing)
    events = [_observation(home)] if news else []
    if not found.retrain:
        return dg.SensorResult(skip_reason=found.reason, cursor=ticks.cursor, asset_events=events)
    request = dg.RunRequest(tags={run_tags.REASON: found.reason}, asset_selection=_selection(home, found, repository))
    return dg.SensorResult([request], cursor=ticks.cursor, asset_events=events)


def _selection(home: Project, found: Judgement, repository: dg.RepositoryDefinition | None) -> list[dg.AssetKey] | None:
    """What the run makes; None is everything.

    A run that only trains leaves the dataset to curation, which may go on beside it. One that makes the dataset anew
    under other settings takes the files that are listed; what has arrived since is curation's, once it is complete.
    """
    from ops.curation.sources.listing import listing_changed

    left_out = set(STEPS)
    if found.curates:
        listed = [name for name in ("raw_videos", "raw_images") if home.table(name).is_file()]
        left_out = {name for name in listed if listing_changed(home, name)}
    if not left_out or repository is None:
        return None
    wanted = dg.AssetSelection.all() - dg.AssetSelection.assets(*left_out)
    return sorted(wanted.resolve(repository.asset_graph))


def _observation(home: Project) -> dg.AssetObservation:
    """The last decisions, for the page of the champion."""
    newest, *_ = shown = decisions.last(home, SHOWN, ABOUT)
    lines = [f"| {each.time} | {'yes' if each.yes else 'no'} | {each.reason} |" for each in shown]
    table = "\n".join(["| when (UTC) | retrain | why |", "|---|---|---|", *lines])
    facts = {"retrain": newest.yes, "reason": newest.reason, "new_items": newest.new_items}
    return dg.AssetObservation(
        "champion",
        description=newest.sentence,
        metadata={**metadata.values(facts), "decisions": dg.MetadataValue.md(table)},
    )
