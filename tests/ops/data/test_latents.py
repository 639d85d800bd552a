import pickle
import shutil

import pytest
import torch

from ops.data.latent_making import make_latents
from ops.data.latent_moments import LatentError, Moments
from ops.data.latents import LatentSet, LatentsResults
from ops.data.samples import SAMPLES, training_samples
from ops.runtime import tables, workers
from ops.runtime.artifacts import current
from ops.runtime.project import Project
from ops.weights.results import Weights


def test_every_sample_has_its_posterior_and_the_work_is_done_once(trained_world) -> None:
    project = trained_world.project
    artifact = current(project, "latents", LatentsResults)
    latents = LatentSet(artifact)
    samples = training_samples(project)
    assert sorted(latents) == sorted(sample["sample_id"] for sample in samples)
    for sample in samples:
        mean, log_variance = latents[sample["sample_id"]]
        assert mean.shape == log_variance.shape == (4, 1 if sample["kind"] == "image" else 2, 4, 4)
        assert mean.dtype == torch.float32
    assert artifact.inputs == {
        "wfvae": current(project, "wfvae", Weights).version,
        "training_set": artifact.inputs["training_set"],
    }
    assert make_latents(project) == artifact


def test_shift_and_scale_bring_training_draws_to_mean_zero_and_variance_one(trained_world) -> None:
    artifact = current(trained_world.project, "latents", LatentsResults)
    latents = LatentSet(artifact)
    generator = torch.Generator().manual_seed(0)
    rows = tables.each(artifact.folder / "index.parquet", ("sample_id", "split"))
    train = sorted(row["sample_id"] for row in rows if row["split"] == "train")
    posteriors = [latents[name] for name in train for _ in range(200)]
    drawn = [
        mean + (0.5 * log_variance).exp() * torch.randn(mean.shape, generator=generator)
        for mean, log_variance in posteriors
    ]
    draws = torch.cat([latents.scale.normalised(latent).flatten(1) for latent in drawn], dim=1)
    assert draws.mean(1).abs().max() < 0.05
    assert draws.std(1) == pytest.approx([1.0] * 4, abs=0.05)


def test_an_interrupted_cache_goes_on_at_the_missing_shard(world, monkeypatch) -> None:
    import ops.data.latents as module

    whole = current(world.project, "latents", LatentsResults)
    monkeypatch.setattr(module, "SHARD_SAMPLES", 3)
    first = make_latents(world.project)
    shards = {path.name: path for path in first.folder.glob("*.safetensors")}
    assert sorted(shards) == [f"{name}.safetensors" for name in ("1x32x32_00000", "5x32x32_00000", "5x32x32_00001")]
    for row in tables.read(first.folder / "index.parquet"):
        assert row["shard"].startswith(f"{row['bucket']}_"), "a shard is of one bucket"
    assert first.results.scale == pytest.approx(whole.results.scale, rel=1e-12)
    (first.folder / "artifact.json").unlink()
    lost, kept = shards["5x32x32_00001.safetensors"], shards["5x32x32_00000.safetensors"]
    lost.unlink()
    before = kept.stat().st_mtime_ns
    assert make_latents(world.project) == first
    assert (lost.is_file(), kept.stat().st_mtime_ns) == (True, before)


def test_two_processes_encode_the_same_and_one_that_dies_costs_its_shard(world, monkeypatch) -> None:
    """It is begun once more."""
    whole = current(world.project, "latents", LatentsResults)
    path = world.project.root / "params.yaml"
    path.write_text(path.read_text() + "launch: {ranks_per_node: 2}\n")
    project = Project(world.project.root)
    shutil.rmtree(project.artifacts / "latents")
    give, killed = workers._Worker.give, []

    def give_and_kill(worker, shard) -> None:
        give(worker, shard)
        if not killed:
            worker._process.kill()
            killed.append(shard)

    monkeypatch.setattr(workers._Worker, "give", give_and_kill)
    again = make_latents(project)
    assert killed
    assert again.version == whole.version


def test_a_source_that_is_gone_costs_its_samples(world) -> None:
    path = world.project.root / "params.yaml"
    path.write_text(path.read_text() + "launch: {max_left_out_share: 0.5}\n")
    project = Project(world.project.root)
    rows = [{**row, "root": str(project.root / "films")} for row in training_samples(project)]
    tables.write(world.dataset.folder / "samples.parquet", rows, SAMPLES)
    (project.root / "films" / "film1.mp4").unlink()
    shutil.rmtree(project.artifacts / "latents")
    less = make_latents(project)
    gone = {row["sample_id"] for row in rows if row["path"] == "film1.mp4"}
    assert less.results.unreadable.keys() == gone
    assert set(LatentSet(less)) == {row["sample_id"] for row in rows} - gone


def test_what_the_vae_cannot_encode_is_named_and_measured_by_none(world, monkeypatch) -> None:
    """A training then leaves it out, as any latent that is not finite."""
    import ops.data.latent_making as module

    whole = make_latents(world.project)
    victim = next(sample for sample in training_samples(world.project) if sample["split"] == "held_out")
    encode = module._ShardEncoder.encoded

    def spoiled(encoder, samples):
        for sample, (mean, log_variance) in encode(encoder, samples):
            yield sample, (mean * float("nan") if sample["sample_id"] in spoilt else mean, log_variance)

    spoilt = {victim["sample_id"]}
    monkeypatch.setattr(module._ShardEncoder, "encoded", spoiled)
    shutil.rmtree(world.project.artifacts / "latents")
    artifact = make_latents(world.project)
    assert artifact.results.not_finite == {victim["sample_id"]: victim["path"]}
    assert artifact.results.scale == whole.results.scale
    assert LatentSet(artifact)[victim["sample_id"]][0].isnan().all()

    spoilt = {sample["sample_id"] for sample in training_samples(world.project)[:2]}
    shutil.rmtree(world.project.artifacts / "latents")
    with pytest.raises(LatentError, match=r"no finite latents for 2 of \d+ samples.*lets 1 be left out"):
        make_latents(world.project)


def test_a_latent_set_travels_to_workers(trained_world) -> None:
    latents = LatentSet(current(trained_world.project, "latents", LatentsResults))
    name = next(iter(latents))
    mean, _ = latents[name]
    assert torch.equal(pickle.loads(pickle.dumps(latents))[name][0], mean)


def test_an_unknown_sample_and_an_empty_training_set_are_errors(world) -> None:
    with pytest.raises(LatentError, match="nobody"):
        LatentSet(current(world.project, "latents", LatentsResults))["nobody"]
    shutil.rmtree(world.project.artifacts / "latents")
    tables.write(world.dataset.folder / "samples.parquet", [], SAMPLES)
    with pytest.raises(LatentError, match="empty"):
        make_latents(world.project)


def test_the_variance_of_a_draw_is_that_of_the_means_plus_the_mean_variance() -> None:
    moments = Moments()
    mean = torch.tensor([[1.0, 3.0], [0.0, 0.0]]).view(2, 1, 1, 2)
    moments.add(mean, torch.full_like(mean, 3.0).log())
    shift, scale = moments.shift_and_scale()
    assert shift == pytest.approx([2.0, 0.0])
    assert scale == pytest.approx([(1 + 3) ** -0.5, 3**-0.5])


def test_a_dead_channel_is_an_error() -> None:
    moments = Moments()
    moments.add(torch.zeros(2, 1, 2, 2), torch.full((2, 1, 2, 2), -60.0))
    with pytest.raises(LatentError, match=r"channels \[0, 1\] are constant"):
        moments.shift_and_scale()
