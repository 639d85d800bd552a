"""The Latte denoiser of Open-Sora Plan v1.1: attention in turn over space and over time."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from models.dit.block import modulated
from models.dit.denoiser import unpatchify
from models.dit.embeddings import PatchEmbed, TextProjection, TimestepModulation
from models.dit.masks import text_bias, token_bias
from models.geometry import PATCH
from models.latte.block import Caption, SpatialBlock, TemporalBlock
from models.latte.config import LatteConfig
from models.latte.inputs import check_inputs
from models.latte.positions import spatial_positions, temporal_positions


class LatteDenoiser(nn.Module):
    """Predicts the noise of a latent video and, on as many channels again, where the variance lies in its range.

    Images may ride along behind the frames of a video: temporal blocks leave them alone, so they and the video do not
    see each other. `gradient_checkpointing` recomputes each block in the backward pass instead of keeping its
    activations.

    The temporal position embedding is added to the video's frames before the first temporal block, always. The
    reference leaves it out where it trains on images beside a video without recomputing activations, and only there;
    weights trained that way have not met it.
    """

    def __init__(self, config: LatteConfig) -> None:
        super().__init__()
        self.config = config
        self.gradient_checkpointing = False
        width = config.width
        self.patch_embed = PatchEmbed(config.in_channels, width, PATCH)
        self.timestep = TimestepModulation(width)
        self.text_projection = TextProjection(config.text_width, width)
        self.spatial_blocks = nn.ModuleList(SpatialBlock(config.heads, config.head_width) for _ in range(config.layers))
        self.temporal_blocks = nn.ModuleList(
            TemporalBlock(config.heads, config.head_width) for _ in range(config.layers)
        )
        self.modulation_out = nn.Parameter(torch.randn(2, width) / width**0.5)
        self.project_out = nn.Linear(width, PATCH * PATCH * config.out_channels)

    @property
    def blocks(self) -> list[nn.Module]:
        """All of them, in the order in which a video passes them."""
        pairs = zip(self.spatial_blocks, self.temporal_blocks, strict=True)
        return [block for pair in pairs for block in pair]

    def forward(
        self,
        latent: Tensor,
        timestep: Tensor,
        text: Tensor,
        text_mask: Tensor | None = None,
        latent_mask: Tensor | None = None,
        images: int = 0,
    ) -> Tensor:
        """[B, 2·C, T + images, H, W]: the noise, then the variance, each of as many channels as `latent`.

        Args:
            latent: [B, C, T + images, H, W], noisy and scaled to unit variance; H and W are even, in units of 8 pixels.
            timestep: [B], integral or not, 0 (clean) to 999 (noise); a video and its images share one.
            text: [B, L, text_width], the last hidden state of the text encoder; with images [B, 1 + images, L,
                text_width], the video's caption first.
            text_mask: [B, L] or [B, 1 + images, L], 1 for a token and 0 for padding; None when there is no padding.
            latent_mask: [B, T + images, H, W], 1 where the latent is part of the video and 0 where it pads it; None
                for no padding.
            images: how many of the latent frames, the last ones, are images.

        Raises:
            ValueError: an argument of another shape or range; the message names it.
        """
        check_inputs(self.config, latent, timestep, text, text_mask, latent_mask, images)
        frames, grid = latent.shape[2], (latent.shape[3] // PATCH, latent.shape[4] // PATCH)
        x = self.patch_embed(latent).unflatten(1, (frames, -1))
        place, moment = self._positions(x, grid, frames - images)
        x = x + place
        embedding, modulation = self.timestep(timestep)
        video, stills = self._captions(text, text_mask, images, x.dtype)
        spatial, temporal = _biases(latent_mask, frames, images, x.dtype)
        for layer, (within, along) in enumerate(zip(self.spatial_blocks, self.temporal_blocks, strict=True)):
            x = self._run(within, x, modulation, spatial, video, stills)
            moving, still = x.split([frames - images, images], dim=1)
            if layer == 0:
                moving = moving + moment
            moving = self._run(along, moving, modulation, temporal)
            x = torch.cat([moving, still], dim=1) if images else moving
        shift, scale = (self.modulation_out + embedding.unsqueeze(1))[:, :, None, None].unbind(1)
        return unpatchify(self.project_out(modulated(x, shift, scale)).flatten(1, 2), (frames, *grid))

    def _run(self, block: nn.Module, *arguments: object) -> Tensor:
        if self.gradient_checkpointing and self.training and torch.is_grad_enabled():
            return checkpoint(block, *arguments, use_reentrant=False)
        return block(*arguments)

    def _positions(self, x: Tensor, grid: tuple[int, int], frames: int) -> tuple[Tensor, Tensor]:
        """Embeddings of places [N, D] and of moments [T, 1, D], in the type of `x`."""
        config = self.config
        place = spatial_positions(grid, config.width, config.latent_side, x.device)
        moment = temporal_positions(frames, config.width, config.latent_frames, x.device)
        return place.to(x.dtype), moment.to(x.dtype).unsqueeze(1)

    def _captions(
        self, text: Tensor, mask: Tensor | None, images: int, dtype: torch.dtype
    ) -> tuple[Caption, Caption | None]:
        text = self.text_projection(text)
        if not images:
            return Caption(text, text_bias(mask, dtype)), None
        masks = (None, None) if mask is None else (mask[:, 0], mask[:, 1:].flatten(0, 1))
        video, stills = text[:, 0], text[:, 1:].flatten(0, 1)
        return Caption(video, text_bias(masks[0], dtype)), Caption(stills, text_bias(masks[1], dtype))


def _biases(mask: Tensor | None, frames: int, images: int, dtype: torch.dtype) -> tuple[Tensor | None, Tensor | None]:
    """For scores within frames, [B·F, 1, 1, N], and along the video, [B·N, 1, 1, T]; None where nothing is hidden."""
    hidden = token_bias(mask, PATCH, dtype)
    if hidden is None:
        return None, None
    hidden_BFN = hidden.unflatten(1, (frames, -1))
    moving = hidden_BFN[:, : frames - images].transpose(1, 2)
    return hidden_BFN.flatten(0, 1)[:, None, None], moving.flatten(0, 1)[:, None, None]
