"""What the denoiser's training says of a sample, step by step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml

from ops.data.samples import SAMPLES
from ops.runtime import tables
from ops.runtime.project import Project
from ops.training.data.captions import Captions
from ops.training.data.data_share import Shares
from ops.training.job import Job
from ops.training.launching.launch import Command, LaunchError
from ops.training.launching.ranks import ALONE, Ranks
from ops.training.methods import denoiser
from ops.training.methods.method import Draw, Setup, Watch


def test_each_step_draws_a_wording_and_drops_a_tenth(
    make_lab: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, alone: Ranks
) -> None:
    lab = make_lab(tmp_path)
    params = yaml.safe_load((lab.project.root / "params.yaml").read_text())
    rule = {"score": "aesthetic", "scorer": "laion-v2", "minimum": 5.75, "phrases": ["a fine {kind}", "nice {kind}"]}
    params["denoiser"]["caption_phrases"] = [rule]
    (lab.project.root / "params.yaml").write_text(yaml.safe_dump(params))
    lab = type(lab)(Project(lab.project.root))
    rows = [{**row, "aesthetic": 6.0, "aesthetics_scorer": "laion-v2"} for row in tables.read(lab.samples)]
    rows[1]["aesthetic"] = 5.0
    tables.write(lab.samples, rows, SAMPLES)
    lab.encode_text()
    commands: list[Command] = []
    with pytest.raises(LaunchError, match=r"results\.json"):  # nothing is started here
        lab.train("denoiser_joint", commands.append)
    job = Job.model_validate_json((commands[0].logs.parent / "job.json").read_text())
    method = denoiser.compose(Setup(job, torch.device("cpu"), torch.float32, Shares.of(2, 1, ALONE)))
    said: list[str] = []
    embedded = Captions.embedded

    def listen(self: Captions, captions: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
        said.extend(captions)
        return embedded(self, ["number 0"] * len(captions))

    monkeypatch.setattr(Captions, "embedded", listen)
    batch = method.data.read([rows[0]["sample_id"], rows[1]["sample_id"]])
    for step in range(300):
        method.objective.loss(method.model, batch, Draw(seed=1, step=step, first_position=0, batch_size=2))
    counts = Counter(said)
    expected = {f"{phrase} number 0" for phrase in ("a fine video", "nice video")}
    expected |= {f"number 0 {phrase}" for phrase in ("a fine video", "nice video")}
    assert set(counts) == {"", "number 1", *expected}
    assert all(45 < counts[wording] < 95 for wording in expected)  # 300 · 0.9 / 4
    assert 35 < counts[""] < 90  # 600 · 0.1

    held_out = next(row for row in rows if row["split"] == "held_out")
    said.clear()
    method.validation.figures(method.model, Watch((), lambda done, of: None))
    assert held_out["caption"] in said
    assert set(said) <= {row["caption"] for row in rows if row["split"] == "held_out"}
