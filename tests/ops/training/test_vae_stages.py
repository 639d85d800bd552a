"""A VAE that is trained in stages: each an asset with a length, a size and a launch of its own, from the one before."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import save_file

from models import released
from models.causal_vae import CausalVideoVAE
from models.released.keys_v1_1 import image_vae_names
from ops.config import CausalVae, ConfigError, resolve
from ops.runtime.artifacts import current
from ops.runtime.project import Project
from ops.training import assets, networks
from ops.training.job import Job
from ops.training.launching import program
from ops.training.launching.ranks import Ranks
from ops.training.loop import loop
from ops.training.methods import vae
from ops.training.methods.vae import build_model
from ops.training.recording.mlflow_run import parameters
from ops.training.results import Trained
from ops.training.trainings import trainings

ROOT = Path(__file__).resolve().parents[3]
CPU = torch.device("cpu")
SCHEDULE = {"steps": 2, "batch_size": 2, "checkpoint_every": 2, "validate_every": 2, "ema_decay": 0.5}
CAUSAL = {
    "architecture": "causalvae",
    "model": {"base_channels": 32, "multipliers": [1, 1, 1, 1], "blocks": 1},
    "losses": {"lpips_weight": 0.0, "discriminator_start": 1, "discriminator_width": 4, "discriminator_layers": 2},
    "schedule": {**SCHEDULE, "optimizer": {"learning_rate": 1e-3, "betas": [0.5, 0.9], "weight_decay": 0.0}},
    "stages": [
        {"name": "images", "views": {"frames": 1}, "losses": {"discriminator": "frames"}},
        {"name": "clips", "views": {"frames": 5}},
        {"name": "reset", "mix_factor": 0.5},
    ],
}


def replacing_vae(lab: Any, section: dict[str, Any]) -> Any:
    """The lab with another VAE, whose keys are none of the old one's."""
    root = lab.project.root
    preset = yaml.safe_load((root / "configs" / "tiny.yaml").read_text(encoding="utf-8")) | {"vae": section}
    (root / "configs" / "causal.yaml").write_text(yaml.safe_dump(preset), encoding="utf-8")
    params = yaml.safe_load((root / "params.yaml").read_text(encoding="utf-8"))
    del params["vae"]
    (root / "params.yaml").write_text(yaml.safe_dump(params | {"preset": "causal"}), encoding="utf-8")
    return type(lab)(Project(root))


def test_each_stage_is_a_training_with_what_it_says_over_what_they_share() -> None:
    settings = resolve(ROOT, "v1_1", {"vae": {"image_vae": "sd", "stages": {"reset": {"launch": {"nodes": 3}}}}})
    first, second, last = (each for each in trainings(settings).values() if each.kind == "vae")
    assert [each.asset for each in (first, second, last)] == [
        "causalvae_frames_9",
        "causalvae_frames_25",
        "causalvae_reset",
    ]
    assert [each.section.views.frames for each in (first, second, last)] == [9, 25, 25]
    assert [each.dataset.max_area for each in (first, second, last)] == [65536] * 3
    assert [each.launch.nodes for each in (first, second, last)] == [1, 1, 3]
    assert [each.section.mix_factor for each in (first, second, last)] == [None, None, 0.5]
    assert [each.section.image_vae for each in (first, second, last)] == ["sd", None, None], "only the first starts so"
    assert last.inputs == ("causalvae_frames_25", "training_set")
    assert last.place == "vae.stages.reset"
    assert settings.vae.asset == last.asset
    assert trainings(settings)["denoiser_video_65"].predecessor is None


def test_a_wfvae_has_stages_too() -> None:
    """Those of the paper: short clips, longer ones, and then less of LPIPS."""
    stages: list[dict[str, Any]] = [
        {"name": "short"},
        {"name": "long", "views": {"frames": 49}, "schedule": {"steps": 200000}},
        {"name": "sharp", "losses": {"lpips_weight": 0.1}, "dataset": {"max_area": 262144}},
    ]
    settings = resolve(ROOT, "v1_3", {"vae": {"stages": stages}})
    *_, long, sharp = (each for each in trainings(settings).values() if each.kind == "vae")
    assert (long.section.views.frames, long.schedule.steps) == (49, 200000)
    assert long.section.losses.lpips_weight == 1.0
    assert (sharp.section.losses.lpips_weight, sharp.dataset.max_area) == (0.1, 262144)
    assert long.schedule.optimizer == sharp.schedule.optimizer == settings.vae.schedule.optimizer


@pytest.mark.parametrize(
    ("vae", "words"),
    [
        ({"stages": {"reset": {"model": {}}}}, r"params\.yaml: vae\.stages\.reset: a stage of the VAE has no model"),
        ({"stages": {"reset": {"views": {"framez": 9}}}}, r"vae\.stages\.reset: views: framez"),
        (
            {"model": {"encoder_blocks": 2}},
            r"params\.yaml: vae\.model\.encoder_blocks: unknown key \(did you mean 'blocks'",
        ),
        ({"model": {"base_channels": 48}}, r"vae\.model\.base_channels: is 48, but must be a multiple of 32"),
        ({"losses": {"wavelet_weight": 0.1}}, r"vae\.losses\.wavelet_weight: unknown key"),
        ({"architecture": "vae"}, r"vae\.architecture: is 'vae', but must be one of 'wfvae', 'causalvae'"),
    ],
)
def test_what_a_vae_or_its_stage_does_not_have(vae: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        resolve(ROOT, "v1_1", {"vae": vae})


def test_two_stages_of_one_name() -> None:
    with pytest.raises(ConfigError, match=r"vae\.stages: the name 'a' is used twice"):
        resolve(ROOT, "v1_1", {"vae": {"stages": [{"name": "a"}, {"name": "a"}]}})


def session_of(lab: Any, asset: str, folder: Path, alone: Ranks, start: Path | None = None) -> Any:
    described = {
        "root": str(lab.project.root),
        "folder": str(folder),
        "asset": asset,
        "fingerprint": "f",
        "inputs": {},
        "dataset_version": "d" * 32,
        "init_from": {"asset": "before", "version": "v", "folder": str(start)} if start else None,
        "settings": lab.project.settings.model_dump(mode="json"),
    }
    return program.prepared(Job.model_validate_json(json.dumps(described)), alone, CPU, vae.compose)


def test_stages_take_steps_each_from_the_one_before(make_lab: Callable, alone: Ranks, tmp_path: Path) -> None:
    lab = replacing_vae(make_lab(tmp_path / "lab"), CAUSAL)
    start = None
    for name, critic in (("images", "PatchDiscriminator2D"), ("clips", "PatchDiscriminator3D"), ("reset", None)):
        session = session_of(lab, f"causalvae_{name}", tmp_path / name, alone, start)
        model, recorded = session.method.model, parameters(session.job)
        assert recorded["vae.views.frames"] == {"images": "1", "clips": "5", "reset": "25"}[name]
        assert not any(key.startswith("vae.stages.") for key in recorded)
        if start:
            before = released.from_pretrained(start)
            assert isinstance(before, CausalVideoVAE)
            assert torch.equal(before.encoder.conv_in.weight, model.encoder.conv_in.weight)
        if name == "reset":
            assert float(model.encoder.levels[1].time_downsample.mix_factor.detach()) == 0.5
        elif critic:
            assert type(session.method.companions[0].network).__name__ == critic
        for step in (1, 2):
            figures = loop.one_step(session, step, session.read(step))
            assert all(map(math.isfinite, figures.values()))
        assert {"l1", "kl", "adversarial", "critic"} <= figures.keys()
        assert "wavelet" not in figures
        start = tmp_path / f"{name}_released"
        released.save_pretrained(model, start)


def test_the_first_stage_may_start_from_an_image_vae(make_lab: Callable, alone: Ranks, tmp_path: Path) -> None:
    lab = replacing_vae(make_lab(tmp_path / "lab"), {**CAUSAL, "image_vae": "sd"})
    with pytest.raises(ConfigError, match=r"vae\.image_vae: there is no folder .*sd: put"):
        assets.planned(lab.project, "causalvae_images")
    section = lab.project.settings.vae
    assert isinstance(section, CausalVae)
    other = build_model(section.model, seed=77)
    names, own = image_vae_names(other), other.state_dict()
    (lab.project.root / "sd").mkdir()
    image = {theirs: (own[ours][:, :, -1] if own[ours].ndim == 5 else own[ours]) for ours, theirs in names.items()}
    save_file({key: value.contiguous() for key, value in image.items()}, lab.project.root / "sd" / "vae.safetensors")
    identity = assets.planned(lab.project, "causalvae_images").identity.payload()
    assert identity["start"]["vae.safetensors"]  # type: ignore[index, call-overload]
    model = session_of(lab, "causalvae_images", tmp_path / "images", alone).method.model
    assert torch.equal(model.encoder.conv_in.weight, other.encoder.conv_in.weight)
    kernel = model.decoder.conv_in.weight
    assert torch.equal(kernel[:, :, -1], other.decoder.conv_in.weight[:, :, -1])
    assert not kernel[:, :, :-1].any()


def test_the_critic_of_frames_sees_each_by_itself() -> None:
    section = resolve(ROOT, "v1_1", {"vae": {"losses": {"discriminator": "frames"}}}).vae
    network = networks.discriminator(section.losses).eval()
    video = torch.randn(2, 3, 5, 64, 64)
    logits = network(video)
    assert logits.shape == (10, 1, 6, 6), "as published: 70 pixels a patch, at a distance of 8"
    torch.testing.assert_close(logits[3:4], network(video[:1, :, 3:4]))


@pytest.mark.slow
def test_v1_1s_vae_is_trained_in_three_stages_and_found_again(make_lab: Callable, tmp_path: Path) -> None:
    lab = replacing_vae(make_lab(tmp_path / "lab"), CAUSAL)
    for asset in ("causalvae_images", "causalvae_clips", "causalvae_reset"):
        lab.train(asset)
    last = current(lab.project, "causalvae_reset", Trained)
    clips = current(lab.project, "causalvae_clips", Trained)
    assert last.inputs["causalvae_clips"] == clips.version
    assert last.results.init_from is not None
    assert last.results.init_from.asset == "causalvae_clips"
    assert isinstance(released.from_pretrained(last.folder / last.results.released), CausalVideoVAE)
    assert lab.train("causalvae_reset").folder == last.folder
