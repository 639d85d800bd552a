"""A small world in which everything upstream of evaluation and release has happened: real clips, a dataset with its
lock, a VAE and two denoiser stages with random weights, real latents and text embeddings, a real MLflow store."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from torch import nn

from models import adapters
from models.control.image_condition import ImageConditionedDenoiser
from models.dit.config import DenoiserConfig
from models.dit.denoiser import SkiparseDenoiser
from models.released import from_pretrained, save_pretrained
from models.wfvae.config import WFVAEConfig
from models.wfvae.vae import WFVAE
from ops.config import Lora, LowRankStage, Settings
from ops.curation.tables import CURATED_IMAGES, MOTION_RECHECK
from ops.data import dataset_version
from ops.data.samples import SAMPLES
from ops.runtime import tables
from ops.runtime.artifacts import Artifact, Work
from ops.runtime.files import digest, sha256, write_json
from ops.runtime.mp4 import write_mp4
from ops.runtime.project import Project
from ops.steps import STEPS
from ops.training.assets import stage_work, vae_work
from ops.training.job import Job
from ops.training.results import Checkpoint, InitFrom, Trained
from ops.training.trainings import stages, training
from ops.weights.content import weights_hash

PARAMS = """
preset: tiny
vae: {model: {base_channels: 8, latent_channels: 4, encoder_flow_channels: 8, decoder_flow_channels: 8}}
denoiser: {model: {layers: 2, heads: 2, head_width: 12}}
stages:
  - {name: image, kinds: [image], schedule: &schedule {steps: 4, batch_size: 2, checkpoint_every: 2, validate_every: 2,
     optimizer: {learning_rate: 1.0e-3}}}
  - {name: video, kinds: [video], schedule: *schedule}
evaluation:
  prompts: [a grey square, a red square]
  seeds: [0]
  steps: 2
  num_frames: 5
  height: 32
  width: 32
  reconstruction_frames: 5
  reconstruction_size: 32
  checkpoints: 2
release: {registered_model: squares, copy_weights: false}
"""


class World:
    """A project whose training has happened, and what a test needs to let more of it happen."""

    def __init__(self, project: Project) -> None:
        self.project = project

    @property
    def dataset(self) -> dataset_version.DatasetVersion:
        """What everything here was trained on."""
        return dataset_version.keep(self.project, digest("training_set"))

    def train_vae(self) -> Artifact[Trained]:
        """A finished VAE of one step."""
        found = training(self.project.settings, "wfvae")
        work, _ = vae_work(self.project, found, digest("training_set"))
        torch.manual_seed(0)
        shape = self.project.settings.vae.model.model_dump()
        return self._train(work, {1: 9.0}, lambda _: WFVAE(WFVAEConfig(**shape)), "psnr", first=5.0)

    def train_denoiser(self, stage: str, losses: dict[int, float], seed: int = 0) -> Artifact[Trained]:
        """A finished stage whose checkpoints have these held-out losses; another seed is another learning rate. One on
        given frames sees nothing of them but at its last step."""
        project = self._at_another_rate(stage, seed)
        found = next(each for each in stages(project.settings) if each.name == stage)
        work, init_from = stage_work(project, found)

        def model(step: int) -> nn.Module:
            torch.manual_seed(1000 * seed + step)
            shape = {"layers": 2, "heads": 2, "head_width": 12, "in_channels": 4, "text_width": 384, "sparse_ratio": 1}
            config = DenoiserConfig(**shape)
            if found.kind == "text_to_video":
                return SkiparseDenoiser(config)
            assert init_from is not None
            if isinstance(found.section, LowRankStage):
                return self._adapted(init_from.folder, found.section.lora)
            controller = ImageConditionedDenoiser(config)
            controller.start_from(from_pretrained(init_from.folder))
            if step == max(losses):
                for embed in (controller.condition_embed, controller.mask_embed):
                    torch.nn.init.normal_(embed.inject.weight)
            return controller

        return self._train(work, losses, model, "held_out_loss", first=1.0, init_from=init_from)

    @staticmethod
    def _adapted(base: Path, lora: Lora) -> nn.Module:
        """A base with adapters that have learned something."""
        model = from_pretrained(base)
        adapters.add_adapters(model, adapters.LowRank(lora.rank, lora.alpha, lora.targets, weights_hash(base)))
        for parameter in model.parameters():
            if parameter.requires_grad:
                torch.nn.init.normal_(parameter, std=0.3)
        return model

    def _at_another_rate(self, stage: str, seed: int) -> Project:
        tree = self.project.settings.model_dump(mode="json")
        found = next(each for each in tree["stages"] if each["name"] == stage)
        found["schedule"]["optimizer"]["learning_rate"] *= 1 + seed
        return Project(self.project.root, recipe=Settings.model_validate(tree))

    def _train(
        self,
        work: Work[Trained],
        figures: dict[int, float],
        model: Callable[[int], nn.Module],
        metric: str,
        first: float,
        init_from: InitFrom | None = None,
    ) -> Artifact[Trained]:
        """What a training leaves behind: its job, its run in MLflow, checkpoints, results."""
        import mlflow

        from ops.runtime.tracking.connection import connect
        from ops.runtime.tracking.pipeline_run import experiment_id

        work.folder.mkdir(parents=True, exist_ok=True)
        Job(
            root=work.project.root,
            folder=work.folder,
            asset=work.asset,
            fingerprint=work.fingerprint,
            inputs=work.inputs,
            dataset_version=work.inputs["training_set"],
            init_from=init_from,
            settings=work.project.settings,
        ).write()
        client = connect(work.project)
        tags = {"git.commit": "c" * 40, "git.dirty": "false", "soraflow.asset": work.asset}
        run_id = client.create_run(experiment_id(client, work.project), run_name=work.asset, tags=tags).info.run_id
        kept = []
        with mlflow.start_run(run_id=run_id):
            for step, figure in sorted(figures.items()):
                folder = f"checkpoints/step_{step:06d}"
                made = model(step)
                save = adapters.save_adapter if adapters.adapters_of(made) else save_pretrained
                save(made, work.folder / folder / "ema")
                logged = mlflow.create_external_model(
                    name=work.asset, source_run_id=run_id, model_type=work.asset, params={"step": str(step)}
                )
                kept.append(Checkpoint(step=step, folder=folder, metric=figure, logged_model=logged.model_id))
        higher = metric == "psnr"
        best = max(kept, key=lambda each: each.metric if higher else -each.metric)
        results = Trained(
            released=f"{best.folder}/ema",
            metric=metric,
            higher_is_better=higher,
            first=first,
            last=kept[-1].metric,
            best=best.metric,
            best_step=best.step,
            steps=kept[-1].step,
            left_out={},
            seconds=1.0,
            mlflow_run_id=run_id,
            logged_model=None,
            dataset_version=work.inputs["training_set"],
            init_from=init_from,
            checkpoints=tuple(kept),
        )
        return work.finish(version=digest([work.fingerprint]), results=results)


@pytest.fixture(scope="session")
def trained_world(tmp_path_factory: pytest.TempPathFactory, shared_weights: Path) -> Iterator[World]:
    """Made once; read it, but do not let anything happen in it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SORAFLOW_WEIGHTS", str(shared_weights))
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        yield _make_world(tmp_path_factory.mktemp("world"))


@pytest.fixture
def world(trained_world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared_weights: Path) -> World:
    """A copy of the trained world, to do with as one likes."""
    root = tmp_path / "project"
    shutil.copytree(trained_world.project.root, root)
    monkeypatch.setenv("SORAFLOW_PROJECT", str(root))
    monkeypatch.setenv("SORAFLOW_WEIGHTS", str(shared_weights))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return World(Project(root))


def _make_world(root: Path) -> World:
    from ops.data.latent_making import make_latents
    from ops.data.text_embeddings import make_text

    shutil.copytree(Path(__file__).parents[2] / "configs", root / "configs")
    (root / "params.yaml").write_text(PARAMS)
    project = Project(root)
    _write_dataset(project)
    world = World(project)
    world.train_vae()
    make_latents(project)
    make_text(project)
    world.train_denoiser("image", {2: 0.9, 4: 0.8})
    world.train_denoiser("video", {2: 0.5, 4: 0.4, 6: 0.45, 8: 0.6})
    return world


def _write_dataset(project: Project) -> None:
    rows = []
    for number in range(3):
        path = project.root / "films" / f"film{number}.mp4"
        write_mp4(path, _film(number), fps=8)
        split = "held_out" if number == 2 else "train"
        rows += [_sample(project, path, split, start, f"a film with number {number}") for start in (0, 4)]
    for number in range(2):
        path = project.root / "films" / f"picture{number}.png"
        Image.fromarray(_film(5 + number)[0]).save(path)
        rows.append(_sample(project, path, "held_out" if number else "train", None, f"picture {number}"))
    tables.write(project.data / "training_set" / "samples.parquet", rows, SAMPLES)
    kept = dataset_version.folder_of(project, digest("training_set"))
    shutil.copytree(project.data / "training_set", kept)
    scorers = {"aesthetics_scorer": "laion-v2", "technical_quality_scorer": "dover"}
    clip = {column: json.dumps({"scorer": name}) for column, name in scorers.items()}
    tables.write(project.table("curated_clips"), [clip], MOTION_RECHECK)
    tables.write(project.table("curated_images"), [], CURATED_IMAGES)
    stages = {name: _stage(name) for name in STEPS}
    (project.root / "dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": stages}))
    write_json(kept / dataset_version.MADE_FROM, dataset_version.made_from(project, digest("training_set")))


def _stage(name: str) -> dict[str, Any]:
    deps = [{"path": STEPS[each].output, "md5": digest(each)} for each in STEPS[name].inputs]
    return {"cmd": name, "deps": deps, "outs": [{"path": STEPS[name].output, "md5": digest(name)}]}


def _film(number: int, frames: int = 12) -> np.ndarray:
    y, x = np.mgrid[:32, :32]
    shades = [np.stack([x * 4 + 8 * t, y * 4 + 20 * number, 128 + 0 * x], -1) for t in range(frames)]
    return np.clip(np.stack(shades), 0, 255).astype(np.uint8)


def _sample(project: Project, path: Path, split: str, start: int | None, caption: str) -> dict[str, Any]:
    frames, content = (1 if start is None else 5), sha256(path)
    return {
        "sample_id": f"{content[:10]}-{start or 0}",
        "item_id": content[:16],
        "source_id": content[:16],
        "kind": "image" if start is None else "video",
        "split": split,
        "cut": "dataset",
        "bucket": f"{frames}x32x32",
        **{"frames": frames, "height": 32, "width": 32, "crop": None, "caption": caption, "sha256": content},
        "licence": None if start is None else "CC0-1.0",
        "root": str(path.parent),
        "path": path.name,
        "frame_indices": [0] if start is None else list(range(start, start + 5)),
    }
