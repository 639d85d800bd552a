"""A training that is cancelled on Dagster's page ends in a sentence: it is no error of anybody's."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest
import yaml

from ops.runtime.project import Project
from ops.training.recording.metrics_file import read

PROGRAM = Path(__file__).with_name("cancelled_program.py")


def folder_of_training(project: Project, process: subprocess.Popen[bytes], after_step: int) -> Path:
    """Of the training at work, once it has come so far."""
    deadline = time.monotonic() + 500
    while time.monotonic() < deadline:
        assert process.poll() is None, "the training ended before it could be cancelled"
        for path in project.artifacts.glob("denoiser_joint/*/metrics.jsonl"):
            if any(line["step"] > after_step for line in read(path)):
                return path.parent
        time.sleep(0.1)
    raise TimeoutError("no training step was seen")


@pytest.mark.dist
def test_it_ends_in_one_line(
    make_lab: Callable, checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = make_lab(tmp_path / "lab")
    recipe = lab.project.root / "params.yaml"
    changed = yaml.safe_load(recipe.read_text(encoding="utf-8"))
    changed["stages"][0]["schedule"]["steps"] = 100_000
    recipe.write_text(yaml.safe_dump(changed), encoding="utf-8")
    home = tmp_path / "dagster"
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}", encoding="utf-8")
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    environment = {**os.environ, "PYTHONPATH": str(checkout)}
    process = subprocess.Popen([sys.executable, str(PROGRAM), str(lab.project.root)], env=environment)
    try:
        folder = folder_of_training(lab.project, process, after_step=5)
        with dg.DagsterInstance.get() as instance:
            (run,) = instance.get_runs()
            instance.report_run_canceling(run)  # what the page does: it says so, and interrupts the process
            process.send_signal(signal.SIGINT)
            process.wait(300)
            (run,) = instance.get_runs()
            entries = instance.all_logs(run.run_id)
    finally:
        process.kill()
    assert run.status == dg.DagsterRunStatus.CANCELED
    told = [entry.user_message for entry in entries if "told to stop after step" in entry.user_message]
    assert len(told) == 1
    assert "it goes on from step_0" in told[0]
    (failure,) = [
        entry.dagster_event for entry in entries if entry.dagster_event and entry.dagster_event.is_step_failure
    ]
    assert failure.step_failure_data.user_failure_data.description.startswith("The training was told to stop")
    everything = "\n".join(repr(entry) for entry in entries)
    assert "Traceback" not in everything
    assert "InterruptedError" not in everything
    log = (folder / "logs" / "rank0.log").read_text(encoding="utf-8")
    assert "Traceback" not in log
    assert "rank 0 was told to stop" in log.splitlines()
    assert not (folder / "logs" / "rank0.failed").exists()
    assert lab.status_of(folder) == "KILLED"
