"""VAEs on folders of videos: the scores, the blocks, what is said of the rest, and the tables."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from models.released import from_pretrained, save_pretrained
from models.wfvae.config import WFVAEConfig
from models.wfvae.vae import WFVAE
from ops.evaluation.vae import score, score_vae
from ops.evaluation.vae.clips import Cut, of_folder, squared
from ops.evaluation.vae.passes import direct_chunk, through
from ops.evaluation.vae.published import PANDA, WEBVID
from ops.evaluation.vae.score import NothingToScore
from ops.evaluation.vae.speed import encoding_speed
from ops.evaluation.vae.tables import tables
from ops.metrics.psnr import frame_psnr
from ops.runtime.mp4 import read_mp4, write_mp4

CUT = Cut(frames=9, side=32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small VAE in its released form."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("vae") / "small"
    config = WFVAEConfig(base_channels=8, latent_channels=4, encoder_flow_channels=8, decoder_flow_channels=8)
    save_pretrained(WFVAE(config), path)
    return path


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    path = tmp_path / "videos"
    path.mkdir()
    random = np.random.default_rng(0)
    for number, frames in enumerate((12, 9, 5)):
        coarse = random.integers(0, 256, (frames, 5, 6, 3), dtype=np.uint8)
        write_mp4(path / f"{number}.mp4", coarse.repeat(8, 1).repeat(8, 2), 8)
    (path / "3.mp4").write_bytes(b"no video")
    return path


def test_a_folder_of_videos(project, folder: Path, videos: Path, tmp_path: Path) -> None:
    vae = from_pretrained(folder).eval()
    found = score_vae(project, vae, folder, of_folder(videos, CUT), tmp_path / "to", {"frames": 9}, block_frames=4)
    assert found.clips == 2
    assert found.problems["2.mp4"] == "has 5 frames, the protocol takes 9"
    assert "cannot be decoded" in found.problems["3.mp4"]
    assert found.metrics.keys() == {"psnr", "ssim", "lpips"}
    assert found.unavailable == {name: "not available: needs i3d" for name in ("rfvd", "rfvd_pairwise")}

    clips = [squared(read_mp4(videos / f"{number}.mp4")[:9], 32) for number in (0, 1)]
    expected = [frame_psnr(clip, through(vae, clip, direct_chunk(vae, 9)).back).mean() for clip in clips]
    assert found.metrics["psnr"].mean == pytest.approx(np.mean(expected))
    assert found.metrics["psnr"].count == 2
    for name, interval in found.blockwise.items():
        assert interval.mean == pytest.approx(found.metrics[name].mean, rel=1e-3)
    assert found.largest_difference is not None
    assert found.largest_difference <= 1e-5
    assert found.blockwise_reason is None


def test_what_was_measured_is_not_measured_again(project, folder: Path, videos: Path, tmp_path: Path) -> None:
    vae, clips = from_pretrained(folder).eval(), of_folder(videos, CUT)
    before = score_vae(project, vae, folder, clips, tmp_path / "to", {}, block_frames=4)
    again = score_vae(project, None, folder, clips, tmp_path / "to", {}, block_frames=4)
    assert again == before


def test_a_vae_that_cannot_be_cut_into_blocks_says_so(project, videos: Path, tmp_path: Path) -> None:
    config = WFVAEConfig(
        base_channels=32, latent_channels=4, encoder_flow_channels=32, decoder_flow_channels=32, norm="groupnorm"
    )
    save_pretrained(WFVAE(config), tmp_path / "grouped")
    vae = from_pretrained(tmp_path / "grouped").eval()
    (videos / "0.mp4").unlink()
    found = score_vae(project, vae, tmp_path / "grouped", of_folder(videos, CUT), tmp_path / "to", {}, block_frames=4)
    assert found.blockwise == {}
    assert "group normalisation" in str(found.blockwise_reason)
    assert "Not measured in blocks: " in tables(found)


def test_tables_quote_the_published_rows(project, folder: Path, videos: Path, tmp_path: Path) -> None:
    vae = from_pretrained(folder).eval()
    found = score_vae(project, vae, folder, of_folder(videos, CUT), tmp_path / "to", {}, block_frames=4)
    found.speed = encoding_speed(vae, frames=5, side=32, warm_up=1, repeats=2)
    assert found.speed.videos_per_second > 0
    assert found.speed.memory_gib > 0
    path = score.write(tmp_path / "to", "small", found, tables(found))
    lines = path.read_text().splitlines()
    ours = next(line for line in lines if line.startswith("| small |"))
    assert f"| {found.metrics['psnr'].mean:.2f} |" in ours
    assert ours.endswith("measured here, 2 clips |")
    assert sum("quoted: " in line for line in lines) == len(WEBVID) + len(PANDA) + 4
    printed = "| WF-VAE-L (16) | 5.55 | 7.00 | 35.79 | - | 0.0230 | 54.36 | - | quoted: WebVid-10M |"
    assert printed in lines
    assert "- rfvd: not available: needs i3d" in lines
    assert "- 2.mp4 has 5 frames, the protocol takes 9" in lines
    kept = json.loads((tmp_path / "to" / "small_vae.json").read_text())
    assert kept["metrics"]["psnr"]["count"] == 2
    assert kept["proofs"]["rfvd"] == "the network agrees with the published one on a parity case"


def test_nothing_to_score_is_an_error(project, folder: Path, videos: Path, tmp_path: Path) -> None:
    for name in ("0.mp4", "1.mp4"):
        (videos / name).unlink()
    with pytest.raises(NothingToScore, match="has 5 frames"):
        score_vae(project, None, folder, of_folder(videos, CUT), tmp_path / "to", {})
    with pytest.raises(FileNotFoundError, match="--videos"):
        of_folder(tmp_path / "empty", CUT)


@pytest.mark.costly
def test_rfvd_of_a_set_and_of_pairs(project, folder: Path, videos: Path, tmp_path: Path, module_at, checkout) -> None:
    """With I3D's weights of its case: of one clip both are the squared distance, and both are marked."""
    from ops.runtime.files import sha256

    case = module_at(checkout / "tests" / "parity_cases.py").MetricCase("i3d_wide")
    weights = project.weights / "i3d"
    weights.mkdir(parents=True)
    torch.save(case.state_dict(), weights / "i3d_pretrained_400.pt")
    (weights / "SHA256SUMS").write_text(f"{sha256(weights / 'i3d_pretrained_400.pt')}  i3d_pretrained_400.pt\n")
    frames = np.random.default_rng(1).integers(0, 256, (13, 4, 4, 3), dtype=np.uint8).repeat(8, 1).repeat(8, 2)
    write_mp4(videos / "long.mp4", frames, 8)
    vae = from_pretrained(folder).eval()
    clips = of_folder(videos, Cut(frames=13, side=32))
    found = score_vae(project, vae, folder, clips, tmp_path / "to", {}, block_frames=None)
    assert found.clips == 1
    assert found.unavailable == {}
    assert found.metrics["rfvd_pairwise"].mean > 0
    assert found.metrics["rfvd"].mean == pytest.approx(found.metrics["rfvd_pairwise"].mean, rel=1e-4)
    assert "no covariance of full rank" in found.cautions["rfvd"]
    assert "- rfvd: unstable: 1 videos" in tables(found)
    assert len(list((project.var / "features").rglob("*.npy"))) == 1
