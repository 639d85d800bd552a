"""The PSNR of held-out clips that a VAE gives back: a mean over frames, then samples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from torch import nn

from models.video_vae import VideoVAE
from ops.training.data.clips import Clips
from ops.training.data.samples import TrainingSamples
from ops.training.objectives.reconstruction import reconstructed


class HeldOutPsnr:
    metric, higher_is_better, what = "psnr", True, "PSNR"

    def __init__(self, samples: TrainingSamples) -> None:
        self._samples = samples

    def values(self, model: nn.Module, batch: Clips) -> list[float]:
        from ops.metrics.psnr import frame_psnr

        output = reconstructed(cast(VideoVAE, model), batch.pixels)
        pairs = zip(batch.pixels.numpy(), output.numpy(), strict=True)
        return [float(frame_psnr(original, other).mean()) for original, other in pairs]

    def required(self, values: Mapping[str, float]) -> dict[str, list[float]]:
        """None: it is measured on bytes, and infinite where these are equal."""
        return {}

    def figures(self, values: Mapping[str, float]) -> dict[str, float]:
        """Of all samples, and of each kind."""
        kinds: dict[str, list[float]] = {}
        for sample_id in sorted(values):
            kinds.setdefault(self._samples.by_id[sample_id]["kind"], []).append(values[sample_id])
        everything = [value for each in kinds.values() for value in each]
        of_kinds = {f"psnr.{kind}": sum(each) / len(each) for kind, each in sorted(kinds.items())}
        return {"psnr": sum(everything) / len(everything), **of_kinds}

    def by_sample(self, values: Mapping[str, float]) -> Mapping[str, float]:
        return values
