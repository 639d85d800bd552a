"""Cron expressions, as Dagster reads them; the one place that asks Dagster's own parser, which is not public."""

from datetime import UTC, datetime

from dagster._utils.schedules import get_latest_completed_cron_tick, get_next_cron_tick


def last_tick(schedule: str, now: float) -> float:
    """The newest moment at or before `now` that the schedule names; seconds since the epoch, the schedule in UTC."""
    return get_latest_completed_cron_tick(schedule, datetime.fromtimestamp(now, UTC), "UTC").timestamp()


def next_tick(schedule: str, now: float) -> datetime:
    return get_next_cron_tick(schedule, datetime.fromtimestamp(now, UTC), "UTC")
