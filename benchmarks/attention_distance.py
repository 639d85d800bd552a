"""How many attention hops lie between two tokens, on average: why patterns alternate (arXiv 2412.00131, Table 2).

A scheme is a few kinds of layers that take turns; a layer of one kind splits the tokens into groups that attend within
themselves. The distance of two tokens is the smallest number of layers in which what one holds can reach the other. A
token that attends to itself is one hop from itself, and the average runs over all ordered pairs, itself included: so
full attention is at exactly 1, and Skiparse at exactly 2 − 2/k + 1/k². Layers of either kind may come first. Two layers
of one kind reach no further than one, so a shortest path takes the kinds in turn, as the network does.

S: tokens · K: kinds of layers · k: sparse ratio
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from models.dit.skiparse import Pattern, pad, split

Groups = NDArray[np.int64]
"""[K, S]: for each kind of layer, the number of the group that a token attends in."""


def full_groups(grid: tuple[int, int, int]) -> Groups:
    """Every token attends to all T×H×W of them, in every layer."""
    return np.zeros((1, int(np.prod(grid))), dtype=np.int64)


def spatial_temporal_groups(grid: tuple[int, int, int]) -> Groups:
    """2+1D attention: within a frame, then along time at one place."""
    frame, row, column = np.indices(grid).reshape(3, -1)
    return np.stack([frame, row * grid[2] + column])


def skip_window_groups(grid: tuple[int, int, int], k: int) -> Groups:
    """Single skip, as in Skiparse, then windows of k neighbours in the order of the sequence.

    The paper does not give the window's width; its three figures do. A token of a window narrower than k is more than
    two hops from some others; one wider than 14 tokens shows in the third decimal of k = 8; and a window of S/k tokens,
    the length of a sub-sequence, would be as near as Skiparse.
    """
    tokens = int(np.prod(grid))
    return np.stack([skiparse_groups(grid, k)[0], np.arange(tokens) // k])


def skiparse_groups(grid: tuple[int, int, int], k: int) -> Groups:
    """Single skip, then group skip, as the denoiser's own rearrangement places the tokens."""
    tokens = int(np.prod(grid))
    return np.stack([sub_sequences(tokens, pattern, k) for pattern in (Pattern.SINGLE_SKIP, Pattern.GROUP_SKIP)])


def sub_sequences(tokens: int, pattern: Pattern, k: int) -> NDArray[np.int64]:
    """[S]: the sub-sequence that a sparse pattern's `split` puts each token into; padding is left out."""
    numbers = pad(torch.arange(tokens)[None, :, None, None], k, value=-1)
    parts = split(numbers, pattern, k)[0, :, :, 0].T.numpy()
    found = np.empty(tokens, dtype=np.int64)
    for number, members in enumerate(parts):
        found[members[members >= 0]] = number
    return found


def average_distance(groups: Groups) -> float:
    """Hops between tokens, averaged over all S² ordered pairs; a token is one hop from itself.

    Searches breadth-first from every token at once, on sets of tokens packed into bits. Tokens that share all their
    groups reach the same, so one of them stands for all.

    Raises ValueError when some pair is never connected.
    """
    tokens = groups.shape[1]
    sources, weights = np.unique(groups, axis=1, return_counts=True)
    members = [_packed(labels) for labels in groups]
    total = reached = 0
    while True:
        total += tokens**2 - reached  # another hop for each pair that is still apart
        within = members[0][sources[0]]
        for kind, labels in zip(members[1:], sources[1:], strict=True):
            within |= kind[labels]
        before, reached = reached, int(np.bitwise_count(within).sum(axis=1, dtype=np.int64) @ weights)
        if reached == tokens**2:
            return total / tokens**2
        if reached == before:
            raise ValueError(f"groups leave {tokens**2 - reached} pairs of tokens apart, but must connect all of them")
        members = [_united(within, labels) for labels in sources]


def _packed(labels: NDArray[np.int64]) -> NDArray[np.uint64]:
    """[groups, words of 64 tokens]: the set of tokens of each group."""
    words = -(-len(labels) // 64)
    bits = np.zeros((labels.max() + 1, words * 8), dtype=np.uint8)
    token = np.arange(len(labels))
    np.bitwise_or.at(bits, (labels, token // 8), np.left_shift(1, token % 8).astype(np.uint8))
    return bits.view(np.uint64)


def _united(within: NDArray[np.uint64], labels: NDArray[np.int64]) -> NDArray[np.uint64]:
    """[groups, words]: what the members of each group reach together."""
    order = np.argsort(labels, kind="stable")
    starts = np.searchsorted(labels[order], np.arange(labels.max() + 1))
    return np.bitwise_or.reduceat(within[order], starts, axis=0)
