"""One file a day for what happened without anybody watching: decisions, failures, and services that ended."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from ops.runtime.project import Project


def write(project: Project, about: str, message: str) -> None:
    """Append a line to `var/logs/daily/DATE.log`; days and times are UTC. Line breaks become spaces."""
    now = datetime.now(UTC)
    path = file_of_day(project, now)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(f"{now:%H:%M:%S} {about}: {' '.join(message.split())}\n")


def file_of_day(project: Project, moment: datetime) -> Path:
    return project.logs / "daily" / f"{moment.astimezone(UTC):%Y-%m-%d}.log"
