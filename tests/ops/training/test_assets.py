from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from models import released
from ops.runtime.artifacts import entries
from ops.runtime.files import digest, write_json
from ops.runtime.project import Project
from ops.training import assets
from ops.training.launching.launch import Command, LaunchError
from ops.training.methods.vae import build_model
from ops.training.results import Adopted
from ops.training.trainings import training


def reads(project: Project, **params: Any) -> Project:
    (project.root / "params.yaml").write_text(yaml.safe_dump({"preset": "tiny", **params}))
    return Project(project.root)


def test_finished_weights_take_the_place_of_a_training(project: Project) -> None:
    model = build_model(project.settings.vae.model, seed=3)
    released.save_pretrained(model, project.root / "bought")
    artifact = assets.train(reads(project, vae={"released": "bought"}), "wfvae")
    kept = released.from_pretrained(artifact.folder / artifact.results.released).state_dict()
    assert all(torch.equal(kept[name], tensor) for name, tensor in model.state_dict().items())
    assert artifact.results == Adopted(released="released", source="bought")
    assert assets.train(reads(project, vae={"released": "bought"}), "wfvae") == artifact


def test_weights_that_an_earlier_soraflow_adopted_are_found(project: Project) -> None:
    released.save_pretrained(build_model(project.settings.vae.model, seed=3), project.root / "bought")
    artifact = assets.train(reads(project, vae={"released": "bought"}), "wfvae")
    stored = json.loads((artifact.folder / "artifact.json").read_text())
    nothing = dict.fromkeys(("first", "last", "best", "best_step", "mlflow_run_id", "logged_model", "init_from"))
    told = {"metric": "psnr", "higher_is_better": True, "steps": 0, "seconds": 0.0, "dataset_version": None}
    stored["results"] = {**told, **nothing, "checkpoints": [], "released": "released"}
    write_json(artifact.folder / "artifact.json", stored)
    again = assets.train(reads(project, vae={"released": "bought"}), "wfvae")
    assert again.results == Adopted(released="released", source=None)
    assert again.folder == artifact.folder


def test_an_unknown_training_is_named(project: Project) -> None:
    with pytest.raises(ValueError, match=r"preset 'tiny' has no training 'imgae'; it has: wfvae, denoiser_image, den"):
        assets.train(project, "imgae")


def fingerprint(lab: Any) -> str:
    commands: list[Command] = []
    with pytest.raises(LaunchError, match=r"results\.json"):
        lab.train("wfvae", commands.append)
    return commands[0].logs.parent.name


def test_only_what_changes_the_model_changes_the_fingerprint(make_lab: Callable, tmp_path: Path) -> None:
    lab = make_lab(tmp_path / "lab")
    first = fingerprint(lab)
    assert fingerprint(lab.with_launch(ranks_per_node=2, accelerator="cpu")) == first
    params = yaml.safe_load((lab.project.root / "params.yaml").read_text())
    params["vae"]["launch"] = {"ranks_per_node": 2}
    (lab.project.root / "params.yaml").write_text(yaml.safe_dump(params))
    lab.project = Project(lab.project.root)
    assert lab.project.settings.vae.launch.over(lab.project.settings.launch).ranks_per_node == 2
    assert fingerprint(lab) == first
    params["vae"]["losses"]["kl_weight"] = 1e-5
    (lab.project.root / "params.yaml").write_text(yaml.safe_dump(params))
    lab.project = Project(lab.project.root)
    assert fingerprint(lab) != first


def test_a_fingerprint_is_of_code_seed_and_settings(make_lab: Callable, tmp_path: Path) -> None:
    project = make_lab(tmp_path / "lab").project
    settings = project.settings.model_dump(mode="json")
    (dataset,) = (found.inputs["training_set"] for found in entries(project, "latents"))
    common = {"code": assets.CODE, "seed": settings["seed"]}
    vae = {**common, "schedule": settings["vae"]["schedule"], **settings["vae"]}
    del vae["launch"], vae["stages"]
    for later in ("adaptive_delta", "adaptive_limit", "discriminator"):  # at what was done before they were settings
        del vae["losses"][later]
    made = assets.work_of(project, training(project.settings, "wfvae"), dataset)[0]
    assert made.fingerprint == digest({"asset": "wfvae", "inputs": {"training_set": dataset}, "settings": vae})
    stage = settings["stages"][0]
    for unsaid in ("kind", "launch", "gradient_checkpointing", "compile", "joint_images"):  # these decide nothing
        del stage[unsaid]
    of_stage = {**common, "schedule": stage["schedule"], "denoiser": settings["denoiser"], "stage": stage}
    for later in ("released", "released_scale"):
        del of_stage["denoiser"][later]
    of_stage["text_width"] = settings["text_encoder"]["width"]
    made = assets.work_of(project, training(project.settings, "denoiser_joint"))[0]
    inputs = {"latents": "latents", "text_embeddings": "text", "training_set": dataset}
    assert made.fingerprint == digest({"asset": "denoiser_joint", "inputs": inputs, "settings": of_stage})


def test_what_came_later_is_in_a_fingerprint_where_it_differs(project: Project) -> None:
    def payload(**losses: Any) -> Any:
        changed = reads(project, vae={"losses": losses})
        return assets.vae_work(changed, training(changed.settings, "wfvae"), "d")[0].identity.payload()

    assert "discriminator" not in payload(discriminator="clips")["losses"]
    assert payload(discriminator="frames")["losses"]["discriminator"] == "frames"


def test_a_failed_launch_is_tried_again_as_often_as_allowed(make_lab: Callable, tmp_path: Path) -> None:
    lab = make_lab(tmp_path / "lab").with_launch(max_restarts=2, accelerator="cpu")
    tried: list[Command] = []

    def fail(command: Command) -> None:
        tried.append(command)
        raise LaunchError("out of luck")

    with pytest.raises(LaunchError, match="out of luck"):
        lab.train("wfvae", fail)
    assert len(tried) == 3


def test_a_job_without_held_out_samples_is_refused(make_lab: Callable, tmp_path: Path) -> None:
    from ops.training.data.samples import NoHeldOutSamples, require_held_out

    with pytest.raises(NoHeldOutSamples, match=r"no sample of kind video.*held_out_share"):
        require_held_out(0, ("video",))
