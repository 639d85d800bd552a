"""Batches of clips that are encoded on the way, by a frozen VAE beside the denoiser."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ops.data.latent_encoder import LatentEncoder
from ops.training.data.clips import Clips, FilmedClips
from ops.training.data.samples import TrainingSamples


@dataclass(frozen=True)
class ClipsToEncode:
    """Clips on the CPU, encoded where and when their posteriors are asked for: on the accelerator, by the loop."""

    clips: Clips
    encode: LatentEncoder

    @property
    def sample_ids(self) -> tuple[str, ...]:
        return self.clips.sample_ids

    def posteriors(self) -> tuple[Tensor, Tensor]:
        """On the encoder's device. A posterior that is not finite shows in the loss, which finds whose it is."""
        means, log_variances = zip(*(self.encode(clip) for clip in self.clips.pixels), strict=True)
        return torch.stack(means), torch.stack(log_variances)


class OnlineLatents:
    def __init__(self, clips: FilmedClips, encode: LatentEncoder) -> None:
        self._clips, self._encode = clips, encode

    @property
    def samples(self) -> TrainingSamples:
        return self._clips.samples

    def read(self, sample_ids: Sequence[str], epoch: int = 0) -> ClipsToEncode:
        """The pixels alone: this is called ahead of the step that they are for."""
        return ClipsToEncode(self._clips.read(sample_ids, epoch), self._encode)

    def ahead(self, samples: int) -> int:
        return self._clips.ahead(samples)

    def close(self) -> None:
        self._clips.close()
