import shutil

import pytest

from ops.data.samples import SAMPLES
from ops.release.champion import release_candidate
from ops.release.registry import Registry, UnknownVersion
from ops.release.trace import FILE, trace
from ops.runtime import tables
from ops.runtime.artifacts import current, current_entry
from ops.runtime.files import digest
from ops.training.results import Trained


def test_a_trace_leads_from_the_version_to_the_sources(scored) -> None:
    release_candidate(scored.project)
    found = trace(scored.project, "champion")
    assert found == trace(scored.project, 1)
    assets = [made.asset for made in found.root.walk()]
    assert assets[-1] == "champion"
    for earlier, later in (
        ("training_set", "wfvae"),
        ("wfvae", "latents"),
        ("latents", "denoiser_image"),
        ("denoiser_image", "denoiser_video"),
        ("denoiser_video", "samples"),
        ("samples", "vbench"),
        ("vbench", "checkpoint_scores"),
    ):
        assert assets.index(earlier) < assets.index(later)
    versions = {made.asset: made.version for made in found.root.walk()}
    for asset in ("wfvae", "latents", "denoiser_image", "denoiser_video", "checkpoint_scores"):
        assert versions[asset] == current_entry(scored.project, asset).version
    assert found.datasets["training_set"] == digest("training_set")
    assert (found.clips, found.images) == (3, 2)
    assert found.samples == {"train": 5, "held_out": 3}
    assert {source.path for source in found.sources} == {
        *(f"film{number}.mp4" for number in range(3)),
        *(f"picture{number}.png" for number in range(2)),
    }
    assert {source.path: source.licence for source in found.sources if source.kind == "image"} == {
        "picture0.png": None,
        "picture1.png": None,
    }
    assert {source.licence for source in found.sources if source.kind == "video"} == {"CC0-1.0"}
    assert found.scorers == {"dover": "S-Lab 1.0, non-commercial use only", "laion-v2": "MIT; Apache-2.0"}
    assert found.settings["release"]["registered_model"] == "squares"


def test_trainings_carry_their_runs_and_commits(scored) -> None:
    release_candidate(scored.project)
    trainings = {each.asset: each for each in trace(scored.project, 1).trainings}
    assert list(trainings) == ["wfvae", "denoiser_image", "denoiser_video"]
    video = trainings["denoiser_video"]
    assert (video.best, video.best_step, video.commit) == (0.4, 4, "c" * 40)
    assert video.mlflow_run_id == current(scored.project, "denoiser_video", Trained).results.mlflow_run_id


def test_without_its_folder_a_trace_comes_from_mlflow(scored) -> None:
    release_candidate(scored.project)
    whole = trace(scored.project, 1)
    (scored.project.root / Registry(scored.project).version(1).folder / FILE).unlink()
    assert trace(scored.project, 1) == whole


def replace_training_set(project) -> None:
    """As curation does that ran since: other samples, another version in the lock, and checks of that one."""
    samples = project.data / "training_set" / "samples.parquet"
    tables.write(samples, tables.read(samples)[:1], SAMPLES)
    path = project.root / "dvc.lock"
    path.write_text(path.read_text().replace(f"md5: {digest('training_set')}", f"md5: {digest('a newer one')}"))


def test_a_data_set_that_was_replaced_since_is_told_as_it_was_trained_on(scored) -> None:
    replace_training_set(scored.project)
    assert release_candidate(scored.project).results.promoted
    found = trace(scored.project, 1)
    assert found.datasets["training_set"] == digest("training_set")
    assert found.datasets["captions"] == digest("captions")
    assert found.dataset_note is None
    assert (found.clips, found.images, len(found.sources)) == (3, 2, 5)


def test_a_data_set_that_is_lost_is_said(scored) -> None:
    replace_training_set(scored.project)
    shutil.rmtree(scored.dataset.folder)
    assert not release_candidate(scored.project).results.promoted
    found = trace(scored.project, 1)
    assert found.datasets == {"training_set": digest("training_set")}
    assert "dvc fetch training_set" in found.dataset_note
    assert found.sources == ()


def test_the_settings_are_those_of_the_training(scored) -> None:
    path = scored.project.root / "params.yaml"
    path.write_text(path.read_text().replace("denoiser: {", "denoiser: {diffusion: {prediction: epsilon}, "))
    project = type(scored.project)(scored.project.root)
    release_candidate(project)
    assert trace(project, 1).settings["denoiser"]["diffusion"]["prediction"] == "v_prediction"
    assert Registry(project).version(1).parts.diffusion.prediction == "v_prediction"


def test_an_unknown_version_lists_what_there_is(scored) -> None:
    release_candidate(scored.project)
    with pytest.raises(UnknownVersion, match="no version '7'; versions: 1; aliases: champion"):
        trace(scored.project, "7")


def test_the_card_is_attached_and_says_what_it_is(scored) -> None:
    release_candidate(scored.project)
    registry = Registry(scored.project)
    version = registry.version(1)
    text = (scored.project.root / version.folder / "model_card.md").read_text()
    for part in (
        "# squares, version 1",
        "It became champion:",
        "| held_out_loss | 0.4 | lower |",
        f"| vae_psnr | {version.scores['vae_psnr'].value:.6g} | higher | `vae-recon/v1#",
        "- subject_consistency: not available: needs dino",
        "| denoiser_video | held_out_loss |",
        "3 clips and 2 images; samples: 3 held_out, 5 train.",
        f"| training_set | `{digest('training_set')}` |",
        "| CC0-1.0 | 3 sources, 3 items |",
        "| unknown | 2 sources, 2 items |",
        "| MIT; Apache-2.0 | scorer laion-v2 |",
        "| S-Lab 1.0, non-commercial use only | scorer dover |",
        "| Apache-2.0 | text encoder minilm-l6 |",
        'soraflow generate "a prompt" --checkpoint 1',
    ):
        assert part in text
    described = registry.client.get_model_version("squares", "1").description
    assert len(described) <= 5000
    assert described[:4000] == text[:4000]
    assert registry.download(version, "model_card.md").read_text() == text
