"""Motion smoothness of VBench (Huang et al. 2024): how well AMT-S guesses every other frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ops.metrics.base import PARITY, Measure, Needs, Value, Video, VideoMetric

if TYPE_CHECKING:
    from ops.weights.surroundings import Surroundings


class MotionSmoothness(VideoMetric):
    """(255 − the mean difference from the frames that were left out) / 255."""

    name, version = "motion_smoothness", "1"
    higher_is_better = True
    fooled_by = "a frozen video"
    needs = Needs(frames=3, side=128, weights=("amt",))
    proof = PARITY
    quirks = ("interpolated frames are cut, not rounded, to 8 bits",)

    def start(self, project: Surroundings) -> Measure:
        import torch

        from models.metrics.amt import MULTIPLE, load_amt_s
        from models.metrics.padding import Padding
        from ops.metrics.networks.frames import as_tensor
        from ops.weights.checkpoints import network

        amt = network(project, "amt", load_amt_s)
        device = next(amt.parameters()).device

        @torch.inference_mode()
        def measure(video: Video) -> Value:
            kept, left_out = video.frames[::2], video.frames[1::2]
            padding = Padding(video.frames.shape[1], video.frames.shape[2], MULTIPLE)
            differences = []
            for number in range(len(kept) - 1):
                around = padding.pad(as_tensor(kept[number : number + 2], device).float() / 255)
                middle = padding.cut(amt(around[:1], around[1:]))[0]
                guessed = (middle * 255).clamp(0, 255).to(torch.uint8).permute(1, 2, 0).cpu().numpy()
                apart = guessed.astype(np.int16) - left_out[number]
                differences.append(float(np.abs(apart).mean(dtype=np.float64)))
            return Value((255.0 - float(np.mean(differences))) / 255.0)

        return measure
