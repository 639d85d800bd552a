"""What stands frozen beside a denoiser that encodes on the way is planned as it is."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import yaml

from models.pixels import to_video
from ops.data.buckets import Bucket
from ops.data.text_encoder import PromptEncoder
from ops.runtime.project import Project
from ops.training import networks
from ops.training.planning.launched import Launched
from ops.training.planning.live_bytes import LiveBytes
from ops.training.planning.page import lines
from ops.training.planning.planner import plan_of
from ops.training.trainings import training

BUCKET = Bucket(17, 48, 64)


def launched(project: Project, **changes: object) -> Launched:
    online = {"latents": {"mode": "online"}, "text_embeddings": {"mode": "online"}}
    recipe = {"preset": "tiny", **online, **changes}
    (project.root / "params.yaml").write_text(yaml.safe_dump(recipe), encoding="utf-8")
    changed = Project(project.root)
    return Launched(changed, training(changed.settings, "denoiser_video"))


def test_encoding_a_sample_holds_what_was_measured(project: Project) -> None:
    found = launched(project)
    planned = found.encoders(BUCKET)
    vae = networks.vae(found.project.settings.vae.model).eval().requires_grad_(False)
    pixels = torch.zeros(BUCKET.frames, BUCKET.height, BUCKET.width, 3, dtype=torch.uint8)
    with torch.no_grad(), LiveBytes() as live:
        vae.encode(to_video(pixels)[None])
    assert planned.encoding == pytest.approx(live.take_peak(), rel=0.02)
    text = PromptEncoder(found.project)._model
    weights = [*vae.parameters(), *vae.buffers(), *text.parameters()]
    assert planned.weights == pytest.approx(sum(each.numel() * each.element_size() for each in weights), rel=0.02)


def test_they_are_part_of_what_a_rank_holds(project: Project) -> None:
    both = launched(project)
    everything = both.memory({BUCKET: None})
    text = launched(project, latents={"mode": "cached"}).memory({BUCKET: None})
    assert everything.held["encoders"] > text.held["encoders"] > 0
    assert everything.peaks["encoding"] > everything.held["encoders"]
    assert "encoding" not in text.peaks
    vae = replace(both, training=training(both.project.settings, "wfvae"))
    assert "encoders" not in vae.memory({BUCKET: None}).held


def test_an_encoder_that_is_not_here_is_said_to_be_left_out(project: Project, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("SORAFLOW_WEIGHTS", str(tmp_path / "none"))
    found = launched(project)
    plan = plan_of(found.project, found.training)
    assert plan.uncounted == ("the text encoder minilm-l6",)
    assert any("without the text encoder minilm-l6, which is not here yet" in line for line in lines(plan))
