"""Pictures of what a VAE gives back of held-out clips."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import cast

from torch import nn

from models.video_vae import VideoVAE
from ops.runtime.frame_grid import SHORTEST_SIDE, Tile, legible, save, spread
from ops.training.data.clips import FilmedClips
from ops.training.data.samples import spread_samples
from ops.training.objectives.reconstruction import reconstructed

SAMPLES = 4
FRAMES = 4


class Reconstructions:
    """Frames above their reconstructions, a pair of rows for each sample."""

    def __init__(self, clips: FilmedClips) -> None:
        self._clips = clips

    def draw(self, model: nn.Module, path: Path, left_out: Collection[str], working: Callable[[], None]) -> bool:
        looked_at = [row for row in self._clips.samples.looked_at if row["sample_id"] not in left_out]
        rows = []
        for row in spread_samples(looked_at, SAMPLES):
            clips = self._clips.read([row["sample_id"]])
            output = reconstructed(cast(VideoVAE, model), clips.pixels)
            for frames in (clips.pixels[0].numpy(), output[0].numpy()):
                rows.append([Tile(legible(frame, SHORTEST_SIDE)) for frame in spread(frames, FRAMES)])
            working()
        save(rows, path)
        return True

    def notes(self) -> list[str]:
        return []
