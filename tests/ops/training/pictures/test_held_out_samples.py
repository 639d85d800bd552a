"""Pictures of held-out captions while a denoiser trains."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models import released
from ops.config import Pictures
from ops.data.latents import LatentSet, LatentsResults
from ops.data.samples import training_samples
from ops.data.text_embeddings import TextResults, TextSet
from ops.runtime.artifacts import current
from ops.runtime.frame_grid import GAP
from ops.training.job import Job
from ops.training.pictures.held_out_samples import HeldOutSamples
from ops.training.results import Trained
from ops.weights.results import Weights


@pytest.fixture
def drawn(world, tmp_path: Path):
    """Draws with the world's best denoiser under these settings."""
    project = world.project
    latents, text = current(project, "latents", LatentsResults), current(project, "text_embeddings", TextResults)
    denoiser = current(project, "denoiser_video", Trained)
    model = released.from_pretrained(denoiser.folder / denoiser.results.released).eval().requires_grad_(False)

    def draw(name: str, **pictures: int) -> tuple[np.ndarray | None, list[str], int]:
        settings = project.settings.model_copy(update={"pictures": Pictures(**{"steps": 2, **pictures})})
        job = Job(
            root=project.root,
            folder=project.root / "job",
            asset="denoiser_video",
            fingerprint="f",
            inputs={"latents": latents.version, "text_embeddings": text.version},
            dataset_version="d" * 32,
            init_from=None,
            settings=settings,
        )
        held_out = training_samples(project, "held_out", ("image", "video"))
        samples = HeldOutSamples(job, held_out, LatentSet(latents).scale, TextSet(text))
        signs_of_life: list[None] = []
        there = samples.draw(model, tmp_path / name, (), lambda: signs_of_life.append(None))
        assert there == (tmp_path / name).is_file()
        return np.asarray(Image.open(tmp_path / name)) if there else None, samples.notes(), len(signs_of_life)

    return draw


def test_a_row_for_each_caption_always_the_same_and_never_silent(drawn) -> None:
    picture, notes, signs = drawn("one.png")
    assert notes == []
    assert signs == 2 * (2 + 1)  # a film and a photograph, whose captions the samples share; two steps, one decoding
    assert picture.shape == (2 * (96 + GAP) - GAP, 4 * (96 + GAP) - GAP, 3)
    assert np.array_equal(picture, drawn("two.png")[0])
    assert np.array_equal(picture[:96], drawn("three.png", prompts=1)[0][:96])
    small, *_ = drawn("small.png", prompts=1, side=16, frames=1)
    assert small.shape == (96, 96, 3)


def test_time_that_is_up_leaves_out_what_has_not_begun(drawn, monkeypatch) -> None:
    clock = iter([0.0, 61.0])
    monkeypatch.setattr("ops.training.pictures.held_out_samples.time.monotonic", lambda: next(clock))
    picture, *_ = drawn("late.png")
    assert len(picture) == 96


def test_none_are_drawn_where_none_are_wanted_or_the_vae_is_gone(world, drawn) -> None:
    assert drawn("none.png", prompts=0) == (None, [], 0)
    shutil.rmtree(current(world.project, "wfvae", Weights).folder)
    picture, notes, _ = drawn("gone.png")
    assert picture is None
    assert "the VAE that the latents were made with is gone" in notes[0]
