"""Whole trainings in processes of their own: they learn what the golden curves say, however often they are killed."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import mlflow
import pytest
import torch
from mlflow.data.dataset_source_registry import resolve_dataset_source

from models import released
from ops.runtime.tracking.connection import connect
from ops.training.checkpoints import store as checkpoints
from ops.training.data.data_share import Shares
from ops.training.job import Job
from ops.training.launching.launch import Command, LaunchError
from ops.training.launching.ranks import ALONE
from ops.training.loop.meter import CLOCKED
from ops.training.methods import denoiser
from ops.training.methods.method import Setup
from ops.training.recording.dvc_source import DvcDatasetSource
from ops.training.recording.metrics_file import read

pytestmark = pytest.mark.dist

GOLDEN = Path(__file__).parent / "golden"
OTHER_MACHINE = 2e-2
"""Another CPU, or another number of threads, rounds differently, and 20 steps let that grow; here it is 0."""


def curve(folder: Path) -> list[dict[str, float]]:
    lines = read(folder / "metrics.jsonl")
    return [{name: value for name, value in line.items() if name not in CLOCKED} for line in lines]


def assert_close(one: list[dict[str, float]], other: list[dict[str, float]], tolerance: float, names: set[str]) -> None:
    assert [line["step"] for line in one] == [line["step"] for line in other]
    for left, right in zip(one, other, strict=True):
        for name in names & left.keys():
            assert math.isclose(left[name], right[name], rel_tol=tolerance, abs_tol=tolerance), (left["step"], name)


@pytest.mark.parametrize(
    ("asset", "names"), [("wfvae", {"loss", "psnr"}), ("denoiser_joint", {"loss", "held_out_loss"})]
)
def test_the_loss_curve_is_the_golden_one(uninterrupted: Callable, asset: str, names: set[str]) -> None:
    """Proof of value: a change that moves a golden curve says why. Delete the file to write it anew."""
    _, artifact = uninterrupted(asset)
    found = [{name: line[name] for name in ("step", *sorted(names)) if name in line} for line in curve(artifact.folder)]
    golden = GOLDEN / f"{asset}.json"
    if not golden.is_file():
        golden.write_text("[\n" + ",\n".join(json.dumps(line) for line in found) + "\n]\n")
        pytest.fail(f"{golden} was missing and has been written; look at it and run again")
    assert_close(found, json.loads(golden.read_text()), OTHER_MACHINE, names)


def test_a_killed_vae_training_ends_with_the_same_curve_bit_for_bit(
    uninterrupted: Callable, make_lab: Callable, tmp_path: Path
) -> None:
    """Killed when the critic is at work; and the newest checkpoint is corrupt, so the one before is taken."""
    _, whole = uninterrupted("wfvae")
    lab = make_lab(tmp_path / "lab")
    folder = lab.train_and_kill("wfvae", rank=0, after_step=16)
    run_id = json.loads((folder / "run.json").read_text())["run_id"]
    weights = folder / "checkpoints" / "step_000015" / "ema" / "diffusion_pytorch_model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    resumed = lab.train("wfvae")
    log = (folder / "logs" / "rank0.log").read_text()
    assert "WARNING" in log
    assert "resuming after step 10" in log
    assert curve(folder) == curve(whole.folder)
    assert resumed.version == whole.version
    assert resumed.results.mlflow_run_id == run_id
    client = connect(lab.project)
    assert client.get_run(run_id).info.status == "FINISHED"
    for key, steps in (("loss", list(range(1, 21))), ("psnr", [0, 5, 10, 15, 20])):
        assert [metric.step for metric in client.get_metric_history(run_id, key)] == steps
    for part in ("model", "ema"):
        one, other = (
            released.from_pretrained(a.folder / "checkpoints" / "step_000020" / part).state_dict()
            for a in (whole, resumed)
        )
        assert all(torch.equal(one[name], other[name]) for name in one)


def test_two_ranks_killed_and_continued_by_one_follow_the_curve_of_one(
    uninterrupted: Callable, make_lab: Callable, tmp_path: Path
) -> None:
    """Two ranks split the batch that one sees whole; on resume the optimizer's shards are converted."""
    _, whole = uninterrupted("denoiser_joint")
    launch = {"accelerator": "cpu", "deepspeed": "configs/deepspeed/zero1_cpu.json"}
    lab = make_lab(tmp_path / "lab").with_launch(**launch, ranks_per_node=2)
    folder = lab.train_and_kill("denoiser_joint", rank=1, after_step=12)
    assert json.loads((folder / "checkpoints" / "step_000010" / "state.json").read_text())["world_size"] == 2
    assert (folder / "logs" / "rank1.log").is_file()
    assert lab.status_of(folder) == "FAILED"
    lab.with_launch(**launch).train("denoiser_joint")
    assert lab.status_of(folder) == "FINISHED"
    assert "from 2 to 1 ranks" in (folder / "logs" / "rank0.log").read_text()
    assert_close(curve(folder), curve(whole.folder), 1e-3, {"loss", "unweighted_loss", "held_out_loss", "grad_norm"})


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 1])
def test_a_rank_that_dies_while_it_writes_costs_that_checkpoint_alone(
    rank: int, uninterrupted: Callable, make_lab: Callable, tmp_path: Path
) -> None:
    """It is killed in the background write of step 10; the training is steps ahead, and goes on from step 5."""
    _, whole = uninterrupted("denoiser_joint")
    lab = make_lab(tmp_path / "lab").with_launch(
        accelerator="cpu", deepspeed="configs/deepspeed/zero1_cpu.json", ranks_per_node=2
    )
    folder = lab.train_and_kill("denoiser_joint", rank=rank, after_step=10, writing=True)
    store = checkpoints.CheckpointStore(folder / "checkpoints")
    assert [checkpoints.step_of(path) for path in store.complete()] == [5]
    assert list(store.path(10).rglob("*")), "it was being written"
    lab.train("denoiser_joint")
    assert "resuming after step 5" in (folder / "logs" / "rank0.log").read_text()
    assert_close(curve(folder), curve(whole.folder), 1e-3, {"loss", "unweighted_loss", "held_out_loss", "grad_norm"})
    for path in store.complete():
        checkpoints.verify(path)


def test_what_a_training_leaves_behind(uninterrupted: Callable) -> None:
    _, artifact = uninterrupted("wfvae")
    results = artifact.results
    assert (results.metric, results.steps, results.init_from) == ("psnr", 20, None)
    assert results.best == max(line["psnr"] for line in curve(artifact.folder)[1:] if "psnr" in line)
    assert results.best > results.first
    kept = {checkpoint.step for checkpoint in results.checkpoints}
    assert kept == {15, 20} | {results.best_step}
    best = checkpoints.CheckpointStore(artifact.folder / "checkpoints").path(results.best_step)
    assert results.released == f"checkpoints/{best.name}/ema"
    assert released.read_config(artifact.folder / results.released)["_class_name"] == "WFVAEModel"
    assert len(list((artifact.folder / "pictures").glob("*.png"))) == 5
    assert not (artifact.folder / "incidents").exists()


def test_a_finished_training_is_found_again(uninterrupted: Callable) -> None:
    lab, artifact = uninterrupted("wfvae")

    def refuse(command: object) -> None:
        raise AssertionError("it was started again")

    assert lab.train("wfvae", refuse) == artifact


def test_mlflow_knows_the_run_its_data_and_its_checkpoints(uninterrupted: Callable) -> None:
    lab, artifact = uninterrupted("wfvae")
    client = connect(lab.project)
    run = client.get_run(artifact.results.mlflow_run_id)
    assert run.info.status == "FINISHED"
    assert run.data.params["vae.schedule.steps"] == "20"
    assert run.data.tags["soraflow.launch.world_size"] == "1"
    assert run.data.tags["soraflow.dataset_version"] == artifact.results.dataset_version
    assert "git.commit" in run.data.tags
    losses = client.get_metric_history(run.info.run_id, "loss")
    assert [metric.step for metric in losses] == list(range(1, 21))
    assert [metric.step for metric in client.get_metric_history(run.info.run_id, "psnr")] == [0, 5, 10, 15, 20]
    source = mlflow.data.get_source(run.inputs.dataset_inputs[0])
    assert isinstance(source, DvcDatasetSource)
    assert source.version == artifact.results.dataset_version
    resolved = resolve_dataset_source(source.to_dict())
    assert isinstance(resolved, DvcDatasetSource)
    assert resolved.to_dict() == source.to_dict()
    models = mlflow.search_logged_models(
        experiment_ids=[run.info.experiment_id], filter_string="metrics.psnr > 1", output_format="list"
    )
    assert {model.params["step"] for model in models} == {"5", "10", "15", "20"}
    forgotten = {model.params["step"] for model in models if model.tags["soraflow.kept"] == "false"}
    assert forgotten == {"5", "10"} - {str(artifact.results.best_step)}
    copied = mlflow.artifacts.download_artifacts(f"models:/{artifact.results.logged_model}")
    assert (Path(copied) / "config.json").is_file()


def test_a_stage_starts_from_the_best_average_of_the_one_before(uninterrupted: Callable) -> None:
    lab, joint = uninterrupted("denoiser_joint")
    commands: list[Command] = []
    with pytest.raises(LaunchError, match=r"results\.json"):  # nothing was started, so nothing came of it
        lab.train("denoiser_video", commands.append)
    job = Job.model_validate_json((commands[0].logs.parent / "job.json").read_text())
    assert job.init_from is not None
    assert (job.init_from.asset, job.init_from.version) == ("denoiser_joint", joint.version)
    assert job.inputs["denoiser_joint"] == joint.version
    method = denoiser.compose(Setup(job, torch.device("cpu"), torch.float32, Shares.of(2, 1, ALONE)))
    best = released.from_pretrained(joint.folder / joint.results.released).state_dict()
    assert all(torch.equal(best[name], tensor) for name, tensor in method.model.state_dict().items())
    assert method.model.training
    assert [count.bucket for count in method.data.samples.order.counts()] == ["5x32x32"]  # the stage takes videos only
