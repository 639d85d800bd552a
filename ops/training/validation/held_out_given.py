"""The held-out loss of a denoiser that completes given frames, by the type of the mask."""

from __future__ import annotations

from collections.abc import Mapping

from torch import nn

from models.control.condition_masks import MaskType
from models.dit.sequence import ALONE, SequenceGroup
from models.latent_scale import LatentScale
from ops.config import Diffusion
from ops.training.data.captions import Captions
from ops.training.data.given_frames import JUDGED, GivenFrames
from ops.training.data.latent_batch import LatentBatch, modes
from ops.training.validation.held_out_loss import Errors, ErrorsByNoise, HeldOutBatch, HeldOutLoss

ByMask = dict[MaskType, Errors]


class HeldOutGiven:
    """Each sample is looked at under every mask of `JUDGED`, at the same noise; `held_out_loss` is the mean over
    masks."""

    metric, higher_is_better, what = "held_out_loss", False, "held-out loss"

    def __init__(
        self,
        settings: Diffusion,
        seed: int,
        scale: LatentScale,
        captions: Captions,
        given: GivenFrames,
        sequence: SequenceGroup = ALONE,
    ) -> None:
        self._errors = ErrorsByNoise(settings, seed, sequence)
        self._timesteps, self._scale, self._captions, self._given = settings.train_timesteps, scale, captions, given

    def values(self, model: nn.Module, batch: LatentBatch) -> list[ByMask]:
        text, mask = self._captions.embedded(self._captions.plain(batch.sample_ids))
        seen = HeldOutBatch(batch.sample_ids, modes(batch, self._scale), text, mask)
        found: list[ByMask] = [{} for _ in batch.sample_ids]
        for kind in JUDGED:
            errors = self._errors.of(model, seen, self._given.judged(batch, kind))
            for sample, each in zip(found, errors, strict=True):
                sample[kind] = each
        return found

    def required(self, values: Mapping[str, ByMask]) -> dict[str, list[float]]:
        return {name: [error for each in masks.values() for error, _ in each] for name, masks in values.items()}

    def figures(self, values: Mapping[str, ByMask]) -> dict[str, float]:
        losses = self._losses(values)
        means = {f"held_out_loss.{kind.value}": loss.mean for kind, loss in losses.items()}
        return {"held_out_loss": sum(means.values()) / len(means), **means}

    def by_sample(self, values: Mapping[str, ByMask]) -> dict[str, float]:
        of_each = [loss.of_samples for loss in self._losses(values).values()]
        return {name: sum(each[name] for each in of_each) / len(of_each) for name in values}

    def _losses(self, values: Mapping[str, ByMask]) -> dict[MaskType, HeldOutLoss]:
        return {
            kind: HeldOutLoss({name: masks[kind] for name, masks in values.items()}, self._timesteps) for kind in JUDGED
        }
