"""A whole training on two ranks in which one sample is abnormal."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ops.runtime.tracking.connection import connect
from ops.training.recording.metrics_file import read
from pipelines.factories.mlflow_links import links

pytestmark = [pytest.mark.dist, pytest.mark.slow]


def test_a_sample_far_off_is_dropped_with_its_rank_and_named(make_lab: Callable, tmp_path: Path) -> None:
    lab = make_lab(tmp_path / "lab")
    stages = lab.project.settings.model_dump(mode="json")["stages"]
    stages[0]["schedule"] |= {"steps": 12, "checkpoint_every": 12, "validate_every": 12, "batch_size": 4}
    stages[0]["schedule"]["clipping"] = {"method": "dropping", "decay": 0.5}
    lab = lab.change("stages", stages).change("launch.ranks_per_node", 2)
    lab.spoil_latent("sample2", 3e3)
    trained = lab.train("denoiser_joint")
    lines = read(trained.folder / "metrics.jsonl")
    dropped = [line["step"] for line in lines if line.get("dropped_batches")]
    assert dropped
    assert [each.step for each in trained.results.incidents] == dropped
    record = json.loads((trained.folder / f"incidents/step_{dropped[0]:06d}.json").read_text(encoding="utf-8"))
    assert any("sample2" in each["sample_ids"] for each in record["suspects"])
    assert "film2.mkv" in (trained.folder / trained.results.incidents[0].page).read_text(encoding="utf-8")
    client, run = connect(lab.project), trained.results.mlflow_run_id
    assert [metric.step for metric in client.get_metric_history(run, "norm_mean")] == list(range(1, 13))
    pages = [file.path for file in client.list_artifacts(run, "incidents")]
    assert trained.results.incidents[0].page in pages
    assert any("gradients" in file.path for file in client.list_artifacts(run, "images"))
    assert (trained.folder / "gradients.png").is_file()
    found = links(lab.project, trained)
    assert f"artifacts/incidents/step_{dropped[-1]:06d}.html" in str(found[f"incident at step {dropped[-1]}"].value)
