"""Which tokens attend to which: the sparse patterns of the Skiparse denoiser (arXiv 2412.00131).

A pattern splits S tokens into k sub-sequences that attend within themselves. S is padded to a multiple of k² first.
"Single skip" gives token g·k + i to sub-sequence i, at place g; "group skip" gives token (n·k + m)·k + j to
sub-sequence m, at place n·k + j: groups of k neighbours, taken every k² tokens.

B: batch · S: tokens · H: heads · E: head width · k: sparse ratio
"""

from __future__ import annotations

from enum import Enum

from torch import Tensor
from torch.nn import functional as F

DENSE_ENDS = 2


class Pattern(Enum):
    DENSE = "dense"
    SINGLE_SKIP = "single skip"
    GROUP_SKIP = "group skip"


def layer_pattern(layer: int, layers: int, sparse_ratio: int) -> Pattern:
    """The first two and last two layers are dense; between them, even ones skip tokens and odd ones skip groups."""
    if sparse_ratio == 1 or not DENSE_ENDS <= layer < layers - DENSE_ENDS:
        return Pattern.DENSE
    return Pattern.GROUP_SKIP if layer % 2 else Pattern.SINGLE_SKIP


def padding(tokens: int, sparse_ratio: int) -> int:
    """How many tokens are appended so that k² divides their number."""
    return -tokens % sparse_ratio**2


def split(x_BSHE: Tensor, pattern: Pattern, k: int) -> Tensor:
    """Tokens of padded length to sub-sequences: [B, S, H, E] → [B, S/k, k·H, E], sub-sequence major.

    Sub-sequences lie beside the heads, where attention keeps them apart just as well as in the batch, and where single
    skip is a view.
    """
    if pattern is Pattern.SINGLE_SKIP:
        return x_BSHE.unflatten(1, (-1, k)).flatten(2, 3)
    groups = x_BSHE.unflatten(1, (-1, k, k))
    return groups.transpose(2, 3).flatten(1, 2).flatten(2, 3)


def join(x: Tensor, pattern: Pattern, k: int) -> Tensor:
    """The inverse of `split`: [B, S/k, k·H, E] → [B, S, H, E]."""
    x = x.unflatten(2, (k, -1))
    if pattern is Pattern.SINGLE_SKIP:
        return x.flatten(1, 2)
    return x.unflatten(1, (-1, k)).transpose(2, 3).flatten(1, 3)


def pad(x: Tensor, sparse_ratio: int, value: float = 0.0) -> Tensor:
    """[B, S, …] with tokens of `value` appended until k² divides S."""
    missing = padding(x.shape[1], sparse_ratio)
    return F.pad(x, [0, 0] * (x.ndim - 2) + [0, missing], value=value) if missing else x
