import pytest

from ops.data.samples import SAMPLES
from ops.evaluation.protocol import Protocol
from ops.evaluation.reconstruction import NothingToEvaluate, Reconstruction, evaluate, held_out_clips
from ops.metrics.psnr import frame_psnr
from ops.runtime import tables
from ops.runtime.artifacts import current
from ops.weights.results import Weights


def test_held_out_items_are_scored_once_each_with_their_protocol(world) -> None:
    artifact = evaluate(world.project)
    assert artifact.asset == "wfvae_evaluation"
    assert artifact.results.items == 2
    metrics = artifact.results.metrics
    assert set(metrics) == {"all", "video", "image"}
    assert metrics["all"]["psnr"].mean == pytest.approx(
        (metrics["video"]["psnr"].mean + metrics["image"]["psnr"].mean) / 2
    )
    assert artifact.results.protocol.startswith("vae-recon/v1#")
    assert len(artifact.results.protocol_terms.weights["lpips"]) == 64
    assert (artifact.folder / "reconstructions.png").is_file()
    items = tables.read(artifact.folder / "items.parquet")
    row = next(item for item in items if item["kind"] == "video")
    clip = next(clip for clip in held_out_clips(world.project, world.dataset.hash) if clip["kind"] == "video")
    original, copy = Reconstruction(world.project, current(world.project, "wfvae", Weights))(clip)
    assert row["psnr"] == pytest.approx(frame_psnr(original, copy).mean())
    assert evaluate(world.project) == artifact


def test_a_clip_is_its_first_frames_at_stride_one(trained_world) -> None:
    clips = held_out_clips(trained_world.project, trained_world.dataset.hash)
    video = next(clip for clip in clips if clip["kind"] == "video")
    assert video["frame_indices"] == [0, 1, 2, 3, 4]
    assert (video["height"], video["width"]) == (32, 32)


def test_items_that_are_too_short_are_listed_not_replaced(world) -> None:
    path = world.project.root / "params.yaml"
    path.write_text(path.read_text().replace("reconstruction_frames: 5", "reconstruction_frames: 17"))
    artifact = evaluate(type(world.project)(world.project.root))
    assert artifact.results.items == 1  # the image
    assert len(artifact.results.failed) == 1
    reasons = [row["reason"] for row in tables.read(artifact.folder / "items.parquet")]
    assert "has 9 frames, the protocol takes 17" in reasons


def test_no_held_out_item_is_an_error(world) -> None:
    path = world.dataset.folder / "samples.parquet"
    tables.write(path, [row for row in tables.read(path) if row["split"] == "train"], SAMPLES)
    with pytest.raises(NothingToEvaluate, match="held_out_share"):
        evaluate(world.project)


def test_another_data_set_is_another_protocol(trained_world) -> None:
    from ops.evaluation.protocols import reconstruction

    one = reconstruction(trained_world.project, ["a", "b"])
    assert reconstruction(trained_world.project, ["b", "a"]).id == one.id
    assert reconstruction(trained_world.project, ["a", "c"]).id != one.id
    assert one.metrics == {"psnr": "1", "ssim": "1", "lpips": "0.1-spatial-mean"}
    assert one.weights == {"lpips": "9f97fd313f4da83dbe6bbfbe6effca1241de9edfcd7c53386261ed9697286dd9"}
    assert Protocol.of_json(one.as_json()) == one
