"""What a denoiser is told of the samples that it learns from, and of those that it is judged by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from ops.config import Denoiser
from ops.data.captioning.phrases import generic, wordings
from ops.data.text_embeddings import UNCONDITIONAL
from ops.training.data.samples import TrainingSamples
from ops.training.methods.method import Draw


class Texts(Protocol):
    """Embeddings of captions, kept or made on the way."""

    def embeddings(self, captions: Sequence[str]) -> list[Tensor]:
        """Float32 [L, D] of each, at its real length, on the CPU."""
        ...


class Captions:
    """In training, one of a sample's wordings or, with the chance `diffusion.caption_dropout`, nothing; or else, in a
    share of these cases, a sentence that says nothing of the sample."""

    def __init__(self, text: Texts, samples: TrainingSamples, denoiser: Denoiser, generic_share: float = 0.0) -> None:
        self._text, self._samples, self._denoiser, self._generic = text, samples, denoiser, generic_share
        self._dropout = denoiser.diffusion.caption_dropout

    def drawn(self, sample_ids: Sequence[str], draw: Draw) -> list[str]:
        """What is said of the samples of a micro-batch of the training split."""
        return [
            self._dropped(sample_id, draw.uniform("generic caption", position))
            if draw.uniform("caption", position) < self._dropout
            else self._worded(sample_id, draw.uniform("wording", position))
            for position, sample_id in zip(draw.positions(len(sample_ids)), sample_ids, strict=True)
        ]

    def _dropped(self, sample_id: str, chance: float) -> str:
        return generic(self._samples.by_id[sample_id]["kind"]) if chance < self._generic else UNCONDITIONAL

    def _worded(self, sample_id: str, chance: float) -> str:
        """One of the sample's wordings, by a chance in [0, 1]."""
        every = wordings(self._samples.by_id[sample_id], self._denoiser)
        return every[min(int(chance * len(every)), len(every) - 1)]

    def plain(self, sample_ids: Sequence[str]) -> list[str]:
        """Their captions, word for word."""
        return [self._samples.by_id[sample_id]["caption"] for sample_id in sample_ids]

    def embedded(self, captions: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Embeddings [B, L, D], padded to the longest, and their mask [B, L]."""
        embeddings = self._text.embeddings(captions)
        mask = pad_sequence([torch.ones(len(e), dtype=torch.long) for e in embeddings], batch_first=True)
        return pad_sequence(embeddings, batch_first=True), mask
