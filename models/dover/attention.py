"""Attention within windows, with the gated position biases of FAST-VQA (Wu et al. 2022, arXiv 2207.02595).

Neighbouring tokens of a picture made of fragments may come from far-apart places, so an offset means one thing inside a
fragment and another across fragments; there is a table of biases for each.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.dover.windows import Size, Windowing, cells_apart, relative_places, seam_mask


class WindowAttention(nn.Module):
    """Multi-head attention among the tokens of each window; the parameters have the published names.

    Two tokens of one fragment get the bias of `fragment_position_bias_table`; two of neighbouring fragments that of
    `relative_position_bias_table`; the two tables together, with the number of cells apart as the weight of the second,
    give the bias of tokens that are farther apart. The paper only tells the two cases; the weight beyond one cell is
    how the released network computes, as far as we know it: the published weights could not be run against it here.
    """

    relative_position_index: Tensor

    def __init__(self, width: int, heads: int, window: Size, fragments: int | None) -> None:
        super().__init__()
        self.heads, self.fragments = heads, fragments
        offsets = (2 * window[0] - 1) * (2 * window[1] - 1) * (2 * window[2] - 1)
        self.relative_position_bias_table = nn.Parameter(0.02 * torch.randn(offsets, heads))
        if fragments is not None:
            self.fragment_position_bias_table = nn.Parameter(0.02 * torch.randn(offsets, heads))
        self.register_buffer("relative_position_index", relative_places(window))
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x_BVNC: Tensor, windows: Windowing) -> Tensor:
        """Windows cut by `windows` → the same shape."""
        # [3, B, V, heads, N, C of a head]
        parts = self.qkv(x_BVNC).unflatten(-1, (3, self.heads, -1)).permute(3, 0, 1, 4, 2, 5)
        bias = self.bias(windows)
        # one sample at a time: the kernel takes four axes, and what it holds stays small
        attended = torch.stack([F.scaled_dot_product_attention(q, k, v, bias) for q, k, v in parts.unbind(1)])
        return self.proj(attended.transpose(2, 3).flatten(3))

    def bias(self, windows: Windowing) -> Tensor:
        """What is added to the scores: [V, heads, N, N], or [1, heads, N, N] where it is the same in every window."""
        bias = self._looked_up(self.relative_position_bias_table, windows)
        if self.fragments is not None:
            inside = self._looked_up(self.fragment_position_bias_table, windows)
            gate = cells_apart(windows, self.fragments).to(bias)[:, None]
            bias = torch.lerp(inside, bias, gate)
        mask = seam_mask(windows)
        return bias if mask is None else bias + mask.to(bias)[:, None]

    def _looked_up(self, table: Tensor, windows: Windowing) -> Tensor:
        """[1, heads, N, N]. A smaller window takes the first rows and columns of the full one's index, as Video Swin
        does; for one shorter in time only, these are the offsets of its own tokens."""
        index = self.relative_position_index[: windows.tokens, : windows.tokens]
        return table[index].permute(2, 0, 1)[None]
