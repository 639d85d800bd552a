"""The frames of a video that a denoiser is given to complete it, drawn anew in each step (arXiv 2412.00131)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from models.control.condition_masks import MaskMixture, MaskType, conditions, frame_mask, hidden, spread
from models.control.mask_schedule import DEFAULT_IMAGE, PROGRESSIVE
from models.latent_scale import LatentScale
from ops.config import ImageCondition, Masks
from ops.training.data.latent_batch import LatentBatch
from ops.training.data.online_latents import ClipsToEncode
from ops.training.loop.randomness import generator
from ops.training.methods.method import Draw

NOISE = (-3.0, 0.5)
"""Of the given frames: mean and deviation of the logarithm of its deviation, in pixels of [-1, 1]."""
JUDGED = {
    MaskType.I2V: 0.0,
    MaskType.TRANSITION: 0.0,
    MaskType.CONTINUATION: 0.5,
    MaskType.RANDOM_TEMPORAL: 0.5,
}
"""The masks by which held-out samples are judged, each with the share of frames that is given where it is open."""


def mixture_of(masks: Masks | str) -> MaskMixture:
    """Of videos, by its weights or by the name of a row of the published schedule."""
    if isinstance(masks, str):
        return next(row.mixture for row in PROGRESSIVE if row.name == masks)
    weights = {kind: float(getattr(masks, kind.value)) for kind in MaskType}
    return MaskMixture({kind: weight for kind, weight in weights.items() if weight}, masks.min_given, masks.max_given)


class GivenFrames:
    """Masks of a batch, and the latents of its videos with the frames hidden that are to be made.

    These are encoded on the way: what a hidden frame leaves depends on the draw.
    """

    def __init__(self, stage: ImageCondition, scale: LatentScale, dtype: torch.dtype) -> None:
        """`dtype` is that of the model in training."""
        self._video, self._noise = mixture_of(stage.masks), stage.noise_given
        self._scale, self._dtype = scale, dtype

    def drawn(self, batch: LatentBatch, draw: Draw) -> dict[str, Tensor]:
        """In training: a type for each sample by its weight, a mask of that type, and a draw from the posterior."""
        clips = _clips(batch)
        masks = torch.stack([self._mask(len(clip), draw, place) for clip, place in self._placed(clips, draw)])
        noise = None
        if self._noise:
            deviation = torch.exp(NOISE[0] + NOISE[1] * draw.normal("given deviation", len(masks), (1, 1, 1, 1)))
            frames, height, width, colours = clips.clips.pixels.shape[1:]
            noise = deviation * draw.normal("given noise", len(masks), (colours, frames, height, width))
        mean, log_variance = self._encoded(clips, masks, noise)
        random = draw.normal("posterior of the given", len(masks), mean.shape[1:]).to(mean.device)
        return conditions(mean + (0.5 * log_variance).exp() * random, masks, self._scale, self._dtype)

    def judged(self, batch: LatentBatch, kind: MaskType) -> dict[str, Tensor]:
        """For validation: the same mask for the same sample, the posterior's mode, in float32 as the average is."""
        clips, share = _clips(batch), JUDGED[kind]
        frames = clips.clips.pixels.shape[1]
        masks = torch.stack(
            [frame_mask(kind, frames, generator("judged", name), share, share) for name in batch.sample_ids]
        )
        return conditions(self._encoded(clips, masks, None)[0], masks, self._scale, torch.float32)

    def _placed(self, clips: ClipsToEncode, draw: Draw) -> Sequence[tuple[Tensor, int]]:
        return list(zip(clips.clips.pixels, draw.positions(len(clips.sample_ids)), strict=True))

    def _mask(self, frames: int, draw: Draw, place: int) -> Tensor:
        mixture = self._video if frames > 1 else DEFAULT_IMAGE
        return mixture.draw(frames, generator(draw.seed, "mask", draw.step, place))[1]

    def _encoded(self, clips: ClipsToEncode, masks: Tensor, noise: Tensor | None) -> tuple[Tensor, Tensor]:
        """Posteriors of the masked videos; `noise` [B, 3, T, H, W] is added to the frames that are given."""
        video = hidden(clips.clips.pixels, masks)
        if noise is not None:
            video = video + noise * (spread(masks, 1, 1) < 0.5)
        means, log_variances = zip(*(clips.encode.of_video(each) for each in video), strict=True)
        return torch.stack(means), torch.stack(log_variances)


def _clips(batch: LatentBatch) -> ClipsToEncode:
    assert isinstance(batch, ClipsToEncode), "given frames are cut out of pixels"
    return batch
