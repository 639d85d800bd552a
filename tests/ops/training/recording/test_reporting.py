from __future__ import annotations

import json
from pathlib import Path

import pytest

from ops.runtime.progress import Progress
from ops.training.recording import reporting
from ops.training.recording.reporting import Reporter


def test_work_that_takes_long_is_told_in_the_log_and_short_work_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Either way it is a sign of life."""
    path = tmp_path / "wfvae.json"
    reporter = Reporter(Progress(path, "wfvae", 100, "steps"), None)
    monkeypatch.setattr("ops.runtime.progress.SECONDS_BETWEEN_WRITES", 0.0)
    reporter.step(7, "validating: 1 of 90 batches")
    assert json.loads(path.read_text(encoding="utf-8"))["note"] == "validating: 1 of 90 batches"
    assert capsys.readouterr().out == ""
    monkeypatch.setattr(reporting, "SECONDS_OF_SILENCE", -1.0)
    reporter.step(7, "validating: 60 of 90 batches")
    assert capsys.readouterr().out == "after step 7: validating: 60 of 90 batches\n"
