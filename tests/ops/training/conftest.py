"""Trainings of a few steps on a few small films: real processes, DeepSpeed, checkpoints and MLflow."""

from __future__ import annotations

import functools
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
import torch.distributed as dist
import yaml
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load_file, save_file

from ops.data import dataset_version, latents, text_embeddings
from ops.data.columns import Sample, Split
from ops.data.samples import SAMPLES
from ops.runtime import tables
from ops.runtime.artifacts import Artifact, Work
from ops.runtime.files import write_json
from ops.runtime.project import Project
from ops.runtime.tracking.connection import connect
from ops.training import assets
from ops.training.job import Job
from ops.training.launching.launch import Command, run
from ops.training.launching.ranks import Ranks
from ops.training.loop.engine import start_distributed
from ops.training.loop.randomness import normal

SCHEDULE = {"steps": 20, "batch_size": 2, "checkpoint_every": 5, "validate_every": 5, "keep_last": 2, "ema_decay": 0.9}
PARAMS = {
    "preset": "tiny",
    "vae": {
        "model": {"base_channels": 8, "latent_channels": 4, "encoder_flow_channels": 8, "decoder_flow_channels": 8},
        "views": {"frames": 25, "flips": False, "zoom": 1},
        "losses": {"lpips_weight": 0.1, "discriminator_start": 10, "discriminator_width": 4},
        "schedule": {**SCHEDULE, "optimizer": {"learning_rate": 2e-3, "warmup_steps": 0}},
    },
    "denoiser": {"model": {"layers": 5, "heads": 2, "head_width": 12}, "diffusion": {"min_snr_gamma": None}},
    "stages": [
        {
            "name": "joint",
            "kinds": ["image", "video"],
            "schedule": {**SCHEDULE, "optimizer": {"learning_rate": 2e-3, "warmup_steps": 4}},
        },
        {
            "name": "video",
            "kinds": ["video"],
            "schedule": {**SCHEDULE, "steps": 5, "optimizer": {"learning_rate": 1e-3}},
        },
    ],
}


DYING = Path(__file__).with_name("dying_program.py")


@dataclass
class Lab:
    """A project to train in."""

    project: Project

    def with_launch(self, **launch: Any) -> Lab:
        (self.project.root / "params.yaml").write_text(yaml.safe_dump({**PARAMS, "launch": launch}))
        return Lab(Project(self.project.root))

    @property
    def samples(self) -> Path:
        """The table that trainings here read."""
        return dataset_version.folder_of(self.project, VERSION) / "samples.parquet"

    def encode_text(self) -> None:
        """Embeddings of all that training may say of the samples."""
        _write_text(self.project)

    def train(self, asset: str, launch: Callable[[Command], None] = run) -> Artifact:
        return assets.train(self.project, asset, launch)

    def job(self, asset: str) -> Job:
        """What its training would be told, without starting it."""
        commands: list[Command] = []
        with pytest.raises(assets.LaunchError, match=r"results\.json"):
            self.train(asset, commands.append)
        return Job.model_validate_json((commands[0].logs.parent / "job.json").read_text(encoding="utf-8"))

    def change(self, key: str, value: Any) -> Lab:
        """Another value in the recipe, as in `vae.losses.lpips_weight`."""
        path = self.project.root / "params.yaml"
        recipe = yaml.safe_load(path.read_text(encoding="utf-8"))
        *sections, name = key.split(".")
        functools.reduce(lambda section, part: section.setdefault(part, {}), sections, recipe)[name] = value
        path.write_text(yaml.safe_dump(recipe), encoding="utf-8")
        return Lab(Project(self.project.root))

    def spoil_latent(self, sample_id: str, value: float) -> None:
        """Put a number into one place of a sample's latent, as a bad disk might."""
        (shard,) = self.project.artifacts.glob("latents/*/shard_00000.safetensors")
        tensors = load_file(shard)
        tensors[f"{sample_id}.mean"][0, 0, 0, 0] = value
        save_file(tensors, shard)

    def train_and_kill(self, asset: str, rank: int, after_step: int, writing: bool = False) -> Path:
        """Train with a rank that is SIGKILLed when it has finished a step, or while it is `writing` the checkpoint of
        that step. Returns the training's folder."""
        folders: list[Path] = []

        def launch(command: Command) -> None:
            folders.append(command.logs.parent)
            at = command.argv.index("--job") - 2
            start, (_, module), arguments = command.argv[:at], command.argv[at : at + 2], command.argv[at + 2 :]
            dying = [str(DYING), str(rank), str(after_step), *(["--writing"] if writing else [])]
            run(replace(command, argv=[*start, *dying, module, *arguments]))

        with pytest.raises(assets.LaunchError, match=f"rank {rank} was killed by signal 9"):
            self.train(asset, launch)
        return folders[0]

    def status_of(self, folder: Path) -> str:
        """The status of a training's MLflow run."""
        return connect(self.project).get_run(json.loads((folder / "run.json").read_text())["run_id"]).info.status


ONLY_RANK = {"RANK": "0", "WORLD_SIZE": "1", "LOCAL_RANK": "0"}


@pytest.fixture(scope="session")
def group_of_one() -> Iterator[None]:
    """One for all modules of this process: DeepSpeed remembers its first group and takes no other."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in ONLY_RANK.items():
            patch.setenv(name, value)
        dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
        start_distributed()
    yield
    dist.destroy_process_group()


@pytest.fixture
def alone(group_of_one: None, monkeypatch: pytest.MonkeyPatch) -> Ranks:
    """This process is a training's only rank."""
    for name, value in ONLY_RANK.items():
        monkeypatch.setenv(name, value)
    return Ranks(0, 1, 0)


@pytest.fixture
def make_lab(checkout: Path, shared_weights: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], Lab]:
    """Lays a project with a dataset, latents and text embeddings that are the same on every machine."""
    monkeypatch.setenv("SORAFLOW_WEIGHTS", str(shared_weights))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)  # MLflow itself sets it when it is told a store

    def make(root: Path) -> Lab:
        shutil.copytree(checkout / "configs", root / "configs")
        lab = Lab(Project(root)).with_launch(accelerator="cpu", deepspeed="configs/deepspeed/zero1_cpu.json")
        rows = _write_dataset(lab.project)
        _write_latents(lab.project, rows)
        lab.encode_text()
        return lab

    return make


@pytest.fixture
def uninterrupted(make_lab: Callable, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest):
    """Each asset trained once in one go, kept for the whole session: lab and artifact."""
    kept: dict[str, Any] = request.config.__dict__.setdefault("_trainings", {})

    def train(asset: str) -> tuple[Any, Artifact]:
        if asset not in kept:
            lab = make_lab(tmp_path_factory.mktemp(asset))
            kept[asset] = (lab, lab.train(asset))
        return kept[asset]

    return train


VERSION = "d" * 32


def _write_dataset(project: Project) -> list[Sample]:
    rows = []
    for number in range(5):
        path = project.root / "films" / f"film{number}.mkv"
        write_video(path, _film(number))
        rows.append(_sample(path, number, 5, "held_out" if number == 4 else "train"))
    for number in range(4):
        path = project.root / "films" / f"picture{number}.png"
        Image.fromarray(_film(number + 5)[0]).save(path)
        rows.append(_sample(path, number + 5, 1, "held_out" if number == 3 else "train"))
    kept = dataset_version.folder_of(project, VERSION)
    tables.write(kept / "samples.parquet", rows, SAMPLES)
    write_json(kept / dataset_version.MADE_FROM, {"training_set": VERSION})
    outs = [{"path": "data/training_set", "md5": VERSION}]
    lock = {"schema": "2.0", "stages": {"training_set": {"cmd": "", "outs": outs}}}
    (project.root / "dvc.lock").write_text(yaml.safe_dump(lock))
    return rows


def _film(number: int, frames: int = 5) -> NDArray[np.uint8]:
    """A disc that moves over a gradient."""
    y, x = np.mgrid[:32, :32]
    shades = []
    for t in range(frames):
        disc = (x - 6 - 2 * t - number) ** 2 + (y - 8 - 2 * number) ** 2 < 30
        shades.append(np.stack([8 * x, 255 * disc, 8 * y // (1 + number % 3)], axis=-1))
    return np.clip(np.stack(shades), 0, 255).astype(np.uint8)


def write_video(path: Path, frames: NDArray[np.uint8]) -> None:
    """Lossless, so that every decoder gives the same pixels."""
    path.parent.mkdir(exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=8)
        stream.height, stream.width, stream.pix_fmt = frames.shape[1], frames.shape[2], "bgr0"
        for frame in frames:
            picture = av.VideoFrame.from_ndarray(frame, format="rgb24")
            container.mux(stream.encode(picture.reformat(format="bgr0")))
        container.mux(stream.encode(None))


def _sample(path: Path, number: int, frames: int, split: Split) -> Sample:
    return {
        "sample_id": f"sample{number}",
        "item_id": f"item{number}",
        "source_id": f"source{number}",
        "kind": "video" if frames > 1 else "image",
        "split": split,
        "cut": "dataset",
        "bucket": f"{frames}x32x32",
        "frames": frames,
        "height": 32,
        "width": 32,
        "root": str(path.parent),
        "path": path.name,
        "sha256": "",
        "frame_indices": list(range(frames)),
        "crop": None,
        "caption": f"number {number % 3}",
    }


def _write_latents(project: Project, rows: list[Sample]) -> None:
    inputs = {"wfvae": "v", "training_set": VERSION}
    work = Work(
        project,
        "latents",
        inputs,
        latents.LatentsIdentity(shard_samples=64, pixels={}, cuts=("dataset",)),
        latents.LatentsResults,
    )
    tensors, index = {}, []
    for row in rows:
        shape = (4, (row["frames"] + 3) // 4, 4, 4)
        tensors[f"{row['sample_id']}.mean"] = 2 * normal(shape, row["sample_id"], row["caption"]) + 1
        tensors[f"{row['sample_id']}.log_variance"] = torch.full(shape, -4.0)
        columns = {name: row[name] for name in ("sample_id", "kind", "split", "bucket")}  # type: ignore[literal-required]
        index.append({**columns, "shard": "shard_00000.safetensors", "shape": list(shape)})
    tables.write(work.folder / "index.parquet", index, latents.INDEX)
    save_file(tensors, work.folder / "shard_00000.safetensors")
    results = latents.LatentsResults(
        shift=(1.0,) * 4,
        scale=(0.5,) * 4,
        channels=4,
        samples=len(rows),
        train_samples=sum(row["split"] == "train" for row in rows),
        shards=1,
        dtype="float32",
        not_finite={},
    )
    work.finish("latents", results)


def _write_text(project: Project) -> None:
    work, captions = text_embeddings.work_of(project, VERSION)
    tensors, index = {}, []
    for caption in captions:
        key, tokens = text_embeddings.key(caption), 2 + len(caption) % 3
        tensors[key] = normal((tokens, 384), caption)
        shard = "shard_00000.safetensors"
        index.append({"key": key, "caption": caption, "shard": shard, "tokens": tokens, "truncated": False})
    tables.write(work.folder / "index.parquet", index, text_embeddings.INDEX)
    save_file(tensors, work.folder / "shard_00000.safetensors")
    results = text_embeddings.TextResults(
        captions=len(captions), truncated=0, emptied=0, width=384, dataset_version=VERSION
    )
    work.finish("text", results)
