"""The Skiparse denoiser of Open-Sora Plan v1.3 (arXiv 2412.00131)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from models.dit.absolute import absolute_table
from models.dit.attention import SelfContext
from models.dit.block import Block, modulated
from models.dit.config import DenoiserConfig
from models.dit.embeddings import PatchEmbed, TextProjection, TimestepModulation
from models.dit.inputs import check_inputs
from models.dit.masks import pattern_bias, text_bias, token_bias
from models.dit.rope import rotary_table
from models.dit.sequence import ALONE, SequenceGroup, Spread
from models.dit.skiparse import layer_pattern
from models.geometry import PATCH


class BlockController(Protocol):
    """Adds to the tokens after each block. Called once a forward pass with its own tokens [B, S, D] and what all blocks
    share, as `Block.forward` names it; `addition` makes of the result the summand [B, S, D] of one block.
    """

    def __call__(
        self, tokens: Tensor, text: Tensor, modulation: Tensor, context: SelfContext, text_bias: Tensor | None
    ) -> Tensor: ...

    def addition(self, features: Tensor, index: int) -> Tensor: ...


class Control(NamedTuple):
    """A controller and the tokens [B, S, D] of what it follows, all of them, for one forward pass."""

    controller: BlockController
    tokens: Tensor


class SkiparseDenoiser(nn.Module):
    """Predicts, for a noisy latent video, what its diffusion calls for: the velocity or the noise.

    `sparse_ratio` may be changed between calls, as the weights are the same for every ratio. `gradient_checkpointing`
    recomputes each block in the backward pass instead of keeping its activations.
    """

    def __init__(self, config: DenoiserConfig) -> None:
        super().__init__()
        self.config = config
        self.sparse_ratio = config.sparse_ratio
        self.gradient_checkpointing = False
        width = config.width
        self.patch_embed = PatchEmbed(config.in_channels, width, PATCH)
        self.timestep = TimestepModulation(width)
        self.text_projection = TextProjection(config.text_width, width)
        self.blocks = nn.ModuleList(Block(config.heads, config.head_width) for _ in range(config.layers))
        self.modulation_out = nn.Parameter(torch.randn(2, width) / width**0.5)
        self.project_out = nn.Linear(width, PATCH * PATCH * config.in_channels)

    def forward(
        self,
        latent: Tensor,
        timestep: Tensor,
        text: Tensor,
        text_mask: Tensor | None = None,
        latent_mask: Tensor | None = None,
        *,
        control: Control | None = None,
        sequence: SequenceGroup = ALONE,
    ) -> Tensor:
        """[B, C, T, H, W], like `latent`.

        Args:
            latent: [B, C, T, H, W], noisy and scaled to unit variance; H and W are even, in units of 8 pixels.
            timestep: [B], integral or not, 0 (clean) to 999 (noise).
            text: [B, L, text_width], the last hidden state of the text encoder.
            text_mask: [B, L], 1 for a token and 0 for padding; None when there is no padding.
            latent_mask: [B, T, H, W], 1 where the latent is part of the video and 0 where it pads it; None for no
                padding.
            control: what a controller adds after each block; None for nothing.
            sequence: ranks that compute a video together. All call this alike, with whole arguments, and get the whole
                prediction. Images are computed by each rank alone.

        Raises:
            ValueError: an argument of another shape or range, or a group that cannot share the heads out; the message
                names it.
        """
        check_inputs(self.config, latent, timestep, text, text_mask, latent_mask)

        def embed(frames: slice) -> Tensor:
            return self.patch_embed(latent[:, :, frames])

        return self._denoise(embed, latent, timestep, text, text_mask, latent_mask, control, sequence)

    def _denoise(
        self,
        embed: Callable[[slice], Tensor],
        latent: Tensor,
        timestep: Tensor,
        text: Tensor,
        text_mask: Tensor | None,
        latent_mask: Tensor | None,
        control: Control | None = None,
        sequence: SequenceGroup = ALONE,
    ) -> Tensor:
        """`embed` makes the tokens of these latent frames."""
        grid = (latent.shape[2], latent.shape[3] // PATCH, latent.shape[4] // PATCH)
        spread = self._spread(sequence, grid, text)
        group, count = spread.group, spread.latents
        tokens = spread.own_of_frames(embed, grid[1] * grid[2])
        if self.config.absolute_positions:
            table = absolute_table(grid, self.config.width, tokens.device).to(tokens.dtype)
            tokens = tokens + group.own(table[None], count)
        context = self._context(tokens, grid, latent_mask, spread)
        embedding, modulation = self.timestep(timestep)
        text, bias = self.text_projection(group.own(text, spread.text)), text_bias(text_mask, tokens.dtype)
        features = None
        if control is not None:
            features = control.controller(group.own(control.tokens, count), text, modulation, context, bias)
        for index, block in enumerate(self.blocks):
            pattern = layer_pattern(index, len(self.blocks), self.sparse_ratio)
            arguments = (tokens, text, modulation, pattern, context, bias)
            if self.gradient_checkpointing and self.training and torch.is_grad_enabled():
                tokens = checkpoint(block, *arguments, use_reentrant=False)
            else:
                tokens = block(*arguments)
            if control is not None and features is not None:
                tokens = tokens + control.controller.addition(features, index)
        shift, scale = (self.modulation_out + embedding.unsqueeze(1)).unsqueeze(2).unbind(1)
        patches = self.project_out(modulated(tokens, shift, scale))
        return unpatchify(group.joined(patches, count), grid)

    def _spread(self, sequence: SequenceGroup, grid: tuple[int, int, int], text: Tensor) -> Spread:
        """An image has too few tokens to be worth an exchange."""
        if self.config.heads % sequence.size:
            raise ValueError(
                f"sequence has {sequence.size} ranks, but must have a number that divides heads, {self.config.heads}"
            )
        return Spread(ALONE if grid[0] == 1 else sequence, math.prod(grid), text.shape[1])

    def _context(
        self, tokens: Tensor, grid: tuple[int, int, int], latent_mask: Tensor | None, spread: Spread
    ) -> SelfContext:
        config, ratio, heads = self.config, self.sparse_ratio, self.config.heads // spread.group.size
        table = rotary_table(
            grid,
            (config.position_scale_t, config.position_scale_h, config.position_scale_w),
            config.head_width,
            tokens.device,
            tokens.dtype if config.rounded_positions else torch.float32,
        )
        bias = token_bias(latent_mask, PATCH, tokens.dtype)
        patterns = {layer_pattern(i, len(self.blocks), ratio) for i in range(len(self.blocks))}
        return SelfContext(
            table,
            ratio,
            {p: pattern_bias(bias, spread.latents, p, ratio, heads, tokens) for p in patterns},
            spread,
        )


def unpatchify(tokens: Tensor, grid: tuple[int, int, int]) -> Tensor:
    """[B, S, p·p·C], channels fastest, → [B, C, T, H, W]."""
    x = tokens.unflatten(2, (PATCH, PATCH, -1)).unflatten(1, grid)
    return x.permute(0, 6, 1, 2, 4, 3, 5).flatten(5, 6).flatten(3, 4)
