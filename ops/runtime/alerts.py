"""Telling people that a run failed: a line in a file and in the daily log, and a webhook where one is configured."""

from __future__ import annotations

import json
import os
import urllib.request
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from ops.runtime import daily_log
from ops.runtime.project import Project

TIMEOUT_SECONDS = 10


@dataclass(frozen=True)
class Failure:
    """A run that failed, in words for somebody who was asleep."""

    run_id: str
    name: str
    """What was run: a job, or the assets that somebody selected."""
    failed: dict[str, str]
    """Asset, or check of one → why; empty when the run's process itself broke down."""
    message: str
    """What Dagster says of the run."""
    next: str
    """Whether Dagster tries again, or what a person can do."""
    links: dict[str, str]
    """`run`, `log` and, for a training, `mlflow`."""

    @property
    def text(self) -> str:
        reasons = [f"{asset}: {why}" for asset, why in self.failed.items()] or [self.message]
        places = [f"{name}: {address}" for name, address in self.links.items()]
        return "\n".join([f"soraflow: {self.name} failed.", *reasons, self.next, *places])


def report(project: Project, failure: Failure) -> None:
    """Append the failure to `var/failures.jsonl` and the daily log; post it to SORAFLOW_ALERT_WEBHOOK when that is set.

    Raises:
        urllib.error.URLError: when the webhook does not answer; the line in the file is there all the same.
    """
    path = project.var / "failures.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    line = {"time": datetime.now(UTC).isoformat(timespec="seconds"), **asdict(failure)}
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line, ensure_ascii=False) + "\n")
    daily_log.write(project, "failure", failure.text.removeprefix("soraflow: "))
    webhook = os.environ.get("SORAFLOW_ALERT_WEBHOOK")
    if webhook:
        post(webhook, {"text": failure.text})


def last(project: Project, count: int) -> list[tuple[str, Failure]]:
    """The newest failures with their times, newest first."""
    path = project.var / "failures.jsonl"
    if not path.is_file():
        return []
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    told = [line for line in lines if "failed" in line]  # earlier versions of soraflow told less
    return [(line.pop("time"), Failure(**line)) for line in told[::-1][:count]]


def post(url: str, body: dict[str, str]) -> None:
    if not url.startswith(("https://", "http://")):
        raise ValueError("SORAFLOW_ALERT_WEBHOOK must be an http or https address")
    request = urllib.request.Request(url, data=json.dumps(body).encode(), headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS):
        pass
