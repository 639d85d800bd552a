"""Classifier-free guidance: from what a denoiser predicts with the prompt, and without it, to what is followed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


def guided(negative: torch.Tensor, prompt: torch.Tensor, guidance: float, rescale: float = 0.0) -> torch.Tensor:
    """u + g · (c − u) of predictions [B, C, t, h, w] (arXiv 2207.12598).

    Large guidance makes a prediction's spread, and so the contrast, too large. With `rescale`, φ from 0 to 1, φ of the
    result has each sample's standard deviation brought back to that of c (arXiv 2305.08891, eq. 15 and 16).
    """
    followed = negative + guidance * (prompt - negative)
    if not rescale:
        return followed
    wanted, found = _spread(prompt), _spread(followed)
    return rescale * followed * (wanted / found.clamp_min(1e-12)) + (1 - rescale) * followed


def _spread(prediction: torch.Tensor) -> torch.Tensor:
    """The standard deviation of each sample [B, 1, …]."""
    return prediction.std(dim=tuple(range(1, prediction.ndim)), keepdim=True)


def batched(embeddings: list[torch.Tensor], tokens: int | None = None) -> tuple[torch.Tensor, Any]:
    """Embeddings [L, D] of several lengths as one batch [B, L, D], padded on the right to the longest of them, or to
    `tokens` where that is more, with its mask [B, L]."""
    import torch
    from torch.nn.functional import pad
    from torch.nn.utils.rnn import pad_sequence

    text = pad_sequence(embeddings, batch_first=True)
    text = pad(text, (0, 0, 0, max(0, (tokens or 0) - text.shape[1])))
    lengths = torch.tensor([len(embedding) for embedding in embeddings])
    return text, torch.arange(text.shape[1])[None] < lengths[:, None]
