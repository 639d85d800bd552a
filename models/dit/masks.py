"""Attention biases, built once a forward pass and only where something is hidden (arXiv 2412.00131)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from models.dit.skiparse import Pattern, pad, padding, split

HIDDEN = -10000.0
PADDED = -9980.0
"""Above HIDDEN, so that where a whole sub-sequence is hidden, its padding (zeros) is what it sees."""


def hides(mask: Tensor | None) -> bool:
    """Whether a mask (1 = visible) hides anything. Under `torch.compile`, any mask counts as hiding."""
    if mask is None:
        return False
    return torch.compiler.is_compiling() or not bool(mask.all())


def text_bias(mask_BL: Tensor | None, dtype: torch.dtype) -> Tensor | None:
    """[B, 1, 1, L] to add to scores over text tokens, or None."""
    if mask_BL is None or not hides(mask_BL):
        return None
    return ((1 - mask_BL.to(dtype)) * HIDDEN)[:, None, None]


def token_bias(mask_BTHW: Tensor | None, patch: int, dtype: torch.dtype) -> Tensor | None:
    """[B, S] over latent tokens, or None. A token is visible where any place of its patch is."""
    if mask_BTHW is None or not hides(mask_BTHW):
        return None
    visible = F.max_pool2d(mask_BTHW.to(dtype), patch).flatten(1)
    return (1 - visible) * HIDDEN


def pattern_bias(
    bias_BS: Tensor | None, tokens: int, pattern: Pattern, k: int, heads: int, like: Tensor
) -> Tensor | None:
    """The bias of one attention pattern, broadcastable to its scores [B, heads or k·heads, queries, keys], or None.

    Without hidden tokens there is still one where a sparse pattern pads the sequence.
    """
    if pattern is Pattern.DENSE:
        return None if bias_BS is None else bias_BS[:, None, None]
    if bias_BS is None:
        if not padding(tokens, k):
            return None
        bias_BS = like.new_zeros(1, tokens)
    parts = split(pad(bias_BS, k, PADDED)[:, :, None, None], pattern, k)
    return parts.squeeze(-1).transpose(1, 2).repeat_interleave(heads, dim=1).unsqueeze(2)
