"""Telling people that a run failed: a line in a file, and a webhook where one is configured."""

from __future__ import annotations

import json
import os
import urllib.request
from datetime import UTC, datetime

from ops.runtime.project import Project

TIMEOUT_SECONDS = 10


def report_failure(project: Project, run_id: str, job: str, message: str) -> None:
    """Append the failure to `var/failures.jsonl`; post it as JSON to SORAFLOW_ALERT_WEBHOOK when that is set.

    Raises:
        urllib.error.URLError: when the webhook does not answer; the line in the file is there all the same.
    """
    failure = {"time": datetime.now(UTC).isoformat(), "run_id": run_id, "job": job, "message": message}
    path = project.var / "failures.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(failure) + "\n")
    webhook = os.environ.get("SORAFLOW_ALERT_WEBHOOK")
    if webhook:
        post(webhook, {"text": f"soraflow: run {run_id} of {job} failed: {message}"})


def post(url: str, body: dict[str, str]) -> None:
    if not url.startswith(("https://", "http://")):
        raise ValueError("SORAFLOW_ALERT_WEBHOOK must be an http or https address")
    request = urllib.request.Request(url, data=json.dumps(body).encode(), headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS):
        pass
