"""The image-condition controller: a denoiser that completes given frames (arXiv 2412.00131)."""

from __future__ import annotations

from torch import Tensor, nn

from models.dit.config import DenoiserConfig
from models.dit.denoiser import SkiparseDenoiser
from models.dit.embeddings import PatchEmbed
from models.dit.inputs import check_condition, check_inputs
from models.dit.sequence import ALONE, SequenceGroup
from models.geometry import PATCH

MASK_CHANNELS = 4
"""The mask's frames that fall on one latent frame."""


class ConditionEmbed(nn.Module):
    """Patches of a condition, through a linear map that starts at zero: untrained, it changes nothing."""

    def __init__(self, in_channels: int, width: int) -> None:
        super().__init__()
        self.patch_embed = PatchEmbed(in_channels, width, PATCH)
        self.inject = nn.Linear(width, width, bias=False)
        nn.init.zeros_(self.inject.weight)

    def forward(self, condition: Tensor) -> Tensor:
        return self.inject(self.patch_embed(condition))


class ImageConditionedDenoiser(SkiparseDenoiser):
    """The denoiser with the given frames and the mask that tells them added to its tokens."""

    def __init__(self, config: DenoiserConfig) -> None:
        super().__init__(config)
        self.condition_embed = ConditionEmbed(config.in_channels, config.width)
        self.mask_embed = ConditionEmbed(MASK_CHANNELS, config.width)

    def start_from(self, base: SkiparseDenoiser) -> None:
        """Take the weights of a text-to-video denoiser; the condition's patch embedding becomes a copy of its own."""
        missing, unexpected = self.load_state_dict(base.state_dict(), strict=False)
        added = {f"{part}_embed." for part in ("condition", "mask")}
        wrong = [name for name in missing if not name.startswith(tuple(added))] + list(unexpected)
        if wrong:
            raise ValueError(f"base has another architecture; these entries differ: {', '.join(wrong)}")
        self.condition_embed.patch_embed.load_state_dict(base.patch_embed.state_dict())

    def forward(  # type: ignore[override]
        self,
        latent: Tensor,
        timestep: Tensor,
        text: Tensor,
        text_mask: Tensor | None = None,
        latent_mask: Tensor | None = None,
        *,
        condition_latent: Tensor,
        condition_mask: Tensor,
        sequence: SequenceGroup = ALONE,
    ) -> Tensor:
        """[B, C, T, H, W], like `latent`; the arguments of `SkiparseDenoiser.forward`, and:

        Args:
            condition_latent: [B, C, T, H, W], the scaled latent of the video with its hidden frames black. It is not
                multiplied by a sampler's input scaling.
            condition_mask: [B, 4, T, H, W], 1 = generate and 0 = given, the four frames of a latent frame on the
                channel axis.

        Raises:
            ValueError: an argument of another shape or range; the message names it.
        """
        check_inputs(self.config, latent, timestep, text, text_mask, latent_mask)
        check_condition(latent, condition_latent, condition_mask, MASK_CHANNELS)

        def embed(frames: slice) -> Tensor:
            tokens = self.patch_embed(latent[:, :, frames]) + self.condition_embed(condition_latent[:, :, frames])
            return tokens + self.mask_embed(condition_mask[:, :, frames])

        return self._denoise(embed, latent, timestep, text, text_mask, latent_mask, sequence=sequence)
