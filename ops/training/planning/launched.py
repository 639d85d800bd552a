"""A training under one of the ways in which it might be launched: what a rank then computes at once, and holds."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import torch

from models.geometry import latent_size
from ops.config import DenoiserStage, ImageCondition, Latents, LowRankStage, Precision, Settings, TextEmbeddings, Vae
from ops.data.buckets import Bucket
from ops.data.text_encoder import parameter_count
from ops.runtime.project import Project
from ops.training.data.batch_sizes import batch_sizes, largest
from ops.training.data.data_share import DataShare, Shares, micro_batch
from ops.training.data.prefetch import AHEAD
from ops.training.launching.ranks import Ranks
from ops.training.loop.engine_config import EngineConfig, configuration_of
from ops.training.planning.cases import DenoiserCase, EncodingCase, Passes, VaeCase
from ops.training.planning.memory import WIDE, Encoders, Memory, memory_of
from ops.training.planning.passes import measured, trained_numbers
from ops.training.trainings import Training

PLANS = "plans"
"""The folder of `var/` in which measurements lie."""
Buckets = Mapping[Bucket, int | None]
"""With the training samples of each; None where they are not known."""


@dataclass(frozen=True)
class Launched:
    """A training under one of the ways in which it might be launched."""

    project: Project
    training: Training
    accumulation: int | None = None
    """Instead of the file's."""

    @cached_property
    def config(self) -> EngineConfig:
        config = configuration_of(self.training, self.project.root, self.ranks)
        if self.accumulation is None:
            return config
        size = micro_batch(self.training.schedule.batch_size, self._parts, self.accumulation)
        return config.with_keys(gradient_accumulation_steps=self.accumulation, train_micro_batch_size_per_gpu=size)

    @property
    def ranks(self) -> int:
        return self.training.launch.nodes * self.training.launch.ranks_per_node

    @property
    def _parts(self) -> int:
        return self.ranks // self.training.ranks_of_a_video

    def shares(self) -> Shares:
        return self.config.shares(self.training.schedule, Ranks(0, self.ranks, 0), self.training.ranks_of_a_video)

    def batch_sizes(self, buckets: Iterable[Bucket]) -> dict[Bucket, int]:
        """The samples of a batch of each, over all ranks."""
        training, named = self.training, {str(bucket): bucket for bucket in buckets}
        sizes = batch_sizes(named, largest(training.dataset, training.kinds), training.schedule)
        return {named[name]: size for name, size in sizes.items()}

    def share(self, bucket: Bucket) -> DataShare:
        """A rank's of a batch of a bucket."""
        return self.shares().of_batch(bucket.frames, self.batch_sizes([bucket])[bucket])

    def case(self, bucket: Bucket, samples: int, recomputed: bool) -> DenoiserCase | VaeCase:
        settings, section = self.project.settings, self.training.section
        dtype: Precision = "bfloat16" if self.config.precision.itemsize == 2 else "float32"
        if isinstance(section, Vae):
            return VaeCase(
                height=bucket.height,
                width=bucket.width,
                precision=dtype,
                samples=samples,
                frames=min(bucket.frames, section.views.frames),
                model=section.model,
                losses=section.losses,
                views=section.views,
                adversarial=section.losses.discriminator_start < section.schedule.steps,
            )
        model = settings.denoiser.model.model_copy(
            update={"sparse_ratio": section.sparse_ratio or settings.denoiser.model.sparse_ratio}
        )
        return DenoiserCase(
            height=bucket.height,
            width=bucket.width,
            precision=dtype,
            samples=samples,
            frames=bucket.frames,
            architecture=settings.denoiser.architecture,
            images=section.images_behind,
            conditioned=isinstance(section, ImageCondition),
            lora=section.lora if isinstance(section, LowRankStage) else None,
            model=model,
            channels=settings.vae.model.latent_channels,
            text_tokens=settings.text_encoder.max_tokens,
            text_width=settings.text_encoder.width,
            recomputed=recomputed,
            ranks_of_a_video=1 if bucket.frames == 1 else self.training.ranks_of_a_video,
        )

    @property
    def recomputed(self) -> bool:
        section = self.training.section
        return isinstance(section, DenoiserStage) and section.gradient_checkpointing

    def largest(self, buckets: Buckets) -> tuple[Bucket, int]:
        """The bucket of which a rank computes most at once, and how many samples of it that are."""
        sizes = {bucket: self.share(bucket).micro_batch for bucket in buckets}
        bucket = max(buckets, key=lambda bucket: (sizes[bucket] * self.case(bucket, 1, False).tokens, bucket))
        return bucket, sizes[bucket]

    def passes(self, bucket: Bucket, samples: int, recomputed: bool) -> Passes:
        return measured(self.case(bucket, samples, recomputed), self.project.var / PLANS)

    def sizes(self) -> tuple[int, int]:
        """How many numbers are trained: of the model, and of what learns beside it."""
        return trained_numbers(self.case(Bucket(1, 16, 16), 1, False))

    def memory(self, buckets: Buckets) -> Memory:
        bucket, samples = self.largest(buckets)
        settings, share = self.project.settings, self.share(bucket)
        launch, schedule = self.training.launch, self.training.schedule
        waiting = (AHEAD + 1) * len(share.positions) * bytes_read(settings, self.training, bucket)
        return memory_of(
            self.config,
            self.passes(bucket, samples, self.recomputed),
            self.ranks,
            launch.accelerator,
            schedule.clipping.method == "dropping",
            waiting,
            self.encoders(bucket),
        )

    def encoders(self, bucket: Bucket) -> Encoders:
        """Beside a denoiser that encodes on the way; a VAE's training has none."""
        weights, live = self._text_encoder or 0, 0
        settings = self.project.settings.latents
        if self._online(settings) or isinstance(self.training.section, ImageCondition):
            case = EncodingCase(
                frames=bucket.frames,
                height=bucket.height,
                width=bucket.width,
                precision=settings.encoder_dtype,
                model=self.project.settings.vae.model,
            )
            passes = measured(case, self.project.var / PLANS)
            weights, live = weights + passes.frozen, passes.activations
        return Encoders(weights, live)

    @property
    def uncounted(self) -> tuple[str, ...]:
        """What will stand in memory, too, and is not here to be asked how large it is."""
        here = not self._online(self.project.settings.text_embeddings) or self._text_encoder is not None
        return () if here else (f"the text encoder {self.project.settings.text_encoder.weights}",)

    @cached_property
    def _text_encoder(self) -> int | None:
        """Bytes of its weights; None where they are not needed, or not here."""
        settings = self.project.settings.text_embeddings
        count = parameter_count(self.project) if self._online(settings) else None
        return None if count is None else count * getattr(torch, settings.encoder_dtype).itemsize

    def _online(self, made: Latents | TextEmbeddings) -> bool:
        return isinstance(self.training.section, DenoiserStage) and made.mode == "online"


def bytes_read(settings: Settings, training: Training, bucket: Bucket) -> int:
    """Bytes of a sample as it is read, with the images behind it: mean and log-variance of its latent in float32, or
    its pixels."""
    section = training.section
    if isinstance(section, Vae):
        zoom = section.views.zoom
        return 3 * bucket.frames * zoom * bucket.height * zoom * bucket.width
    image = replace(bucket, frames=1)
    if settings.latents.mode == "online" or isinstance(section, ImageCondition):
        return 3 * (bucket.frames + section.images_behind) * bucket.height * bucket.width
    return bytes_of_latent(settings, bucket) + section.images_behind * bytes_of_latent(settings, image)


def bytes_of_latent(settings: Settings, bucket: Bucket) -> int:
    return (
        2
        * WIDE
        * settings.vae.model.latent_channels
        * math.prod(latent_size(bucket.frames, bucket.height, bucket.width))
    )
