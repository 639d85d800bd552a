"""Clips of the made world that no training ever saw, through a VAE and back."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from models.geometry import fitting_frames
from ops.data.latent_encoder import load_vae
from ops.data.pixels import fitted
from ops.evaluation.reconstruction import given_back
from ops.made_world.clips import FRAMES, RATE, SIDE
from ops.made_world.drawing import draw
from ops.made_world.scenes import held_out_combinations, scene_of
from ops.runtime.artifacts import Artifact
from ops.runtime.files import Document
from ops.runtime.project import Project
from ops.weights.results import Weights

SEED = 20_000
"""Of no source: theirs are hashed with their variant."""
OF_EACH = 4


def reconstructed(
    project: Project, vae: Artifact[Weights], terms: Document
) -> Iterator[tuple[str, str, NDArray[np.uint8]]]:
    """(name, caption, frames uint8 [T, H, W, 3]) of four clips of every held-out combination, as the VAE gives them
    back. They have the frames, size and rate of `terms`, as far as a clip is long enough."""
    model = load_vae(project, vae)
    random = np.random.default_rng(SEED)
    for combination in held_out_combinations():
        for number in range(OF_EACH):
            clip = seen_at(draw(scene_of(combination, random), FRAMES, SIDE), terms)
            yield f"{combination.caption}, {number}", combination.caption, given_back(model, clip)


def seen_at(clip: NDArray[np.uint8], terms: Document) -> NDArray[np.uint8]:
    """1 + 4n frames at the protocol's rate, at its size."""
    moments = np.arange(0, len(clip), RATE / terms["fps"]).astype(int)[: terms["num_frames"]]
    moments = moments[: fitting_frames(len(moments))]
    return np.stack([fitted(clip[moment], terms["height"], terms["width"]) for moment in moments])
