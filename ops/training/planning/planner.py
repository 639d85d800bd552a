"""Planning a training. Nothing is started, and no data is read but counts.

What is said of memory is of the largest bucket. What is said of time is a mean over the buckets of the training set,
or, before there is one, of the largest that the recipe admits.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from ops.config import ConfigError, DenoiserStage
from ops.data.buckets import Bucket
from ops.runtime.project import Project
from ops.training.data.batch_sizes import NoBatches, too_small
from ops.training.planning.cases import DenoiserCase
from ops.training.planning.flops import denoiser_flops
from ops.training.planning.hardware import hardware_of
from ops.training.planning.launched import Buckets, Launched, bytes_of_latent
from ops.training.planning.memory import WIDE
from ops.training.planning.plan import Plan
from ops.training.planning.remedies import remedy
from ops.training.trainings import Training

SECONDS_A_DAY = 86400


def plan_of(
    project: Project, training: Training, counts: Mapping[str, int] | None = None, compared: bool = False
) -> Plan:
    """`counts` are the training samples of each bucket; without them, any bucket that the recipe admits counts.
    `compared` measures with and without gradient checkpointing, whatever the recipe says.

    Raises:
        ConfigError: when the engine's file, the batch and the ranks do not go together, or no bucket has enough
            samples.
    """
    settings, launched, launch = project.settings, Launched(project, training), training.launch
    counts = _trained_on(launched, counts) if counts else None
    buckets = {Bucket.parse(name): count for name, count in counts.items()} if counts else admitted(training)
    bucket, samples = launched.largest(buckets)
    passes, memory, config = (
        launched.passes(bucket, samples, launched.recomputed),
        launched.memory(buckets),
        launched.config,
    )
    hardware = hardware_of(launch, config.precision)
    fits = hardware.fits(memory, launch.ranks_per_node)
    flops = _flops(launched, buckets, bucket)
    tokens = {str(each): launched.case(each, 1, False).tokens for each in buckets}
    batches = {str(each): size for each, size in launched.batch_sizes(buckets).items()}
    weights = _weights(counts, batches, str(bucket))
    flops_a_step = round(sum(batches[name] * flops[name] * share for name, share in weights.items()))
    seconds = flops_a_step / (launched.ranks * hardware.tflops * 1e12 * launch.utilisation) if hardware.tflops else None
    own, ways = launched.recomputed, (False, True) if isinstance(training.section, DenoiserStage) else (False,)
    activations = {way: launched.passes(bucket, samples, way).activations for way in ways if compared or way == own}
    return Plan(
        asset=training.asset,
        preset=settings.name,
        launch=f"{launch.nodes} node(s) of {launch.ranks_per_node} {launch.accelerator}, by {launch.launcher}",
        engine=f"ZeRO-{config.stage} in {'bf16' if config.precision.itemsize == 2 else 'float32'}",
        ranks=launched.ranks,
        ranks_per_node=launch.ranks_per_node,
        steps=training.schedule.steps,
        batch_size=training.schedule.batch_size,
        bucket=str(bucket),
        micro_batch=samples,
        parameters=passes.parameters,
        memory=memory,
        activations_kept=activations.get(False),
        activations_recomputed=activations.get(True),
        uncounted=launched.uncounted,
        hardware=hardware,
        fits=fits,
        remedy=remedy(launched, buckets, hardware) if fits is False else None,
        samples=sum(counts.values()) if counts else None,
        tokens=tokens,
        flops=flops,
        tokens_a_step=round(sum(batches[name] * tokens[name] * share for name, share in weights.items())),
        flops_a_step=flops_a_step,
        utilisation=launch.utilisation,
        days=seconds * training.schedule.steps / SECONDS_A_DAY if seconds else None,
        disk=disk_of(project, training, counts),
    )


def _trained_on(launched: Launched, counts: Mapping[str, int]) -> dict[str, int]:
    """Those of them that have samples enough."""
    sizes = {str(each): size for each, size in launched.batch_sizes(map(Bucket.parse, counts)).items()}
    try:
        small = too_small(counts, sizes, launched.training.schedule)
    except NoBatches as error:
        raise ConfigError(f"{launched.training.asset}: {error}") from None
    return {name: count for name, count in counts.items() if name not in small}


def admitted(training: Training) -> dict[Bucket, int | None]:
    """Every bucket that could be filled and that a training would see."""
    dataset, kinds = training.dataset, training.kinds
    lengths = [1] * ("image" in kinds)
    lengths += range(dataset.min_frames, dataset.num_frames + 1, 4) if "video" in kinds else []
    return {Bucket(frames, *size): None for frames in lengths for size in dataset.sizes().values()}


def _weights(counts: Mapping[str, int] | None, sizes: Mapping[str, int], largest: str) -> dict[str, float]:
    """The share of steps that each bucket has."""
    batches = {name: math.ceil(count / sizes[name]) for name, count in counts.items()} if counts else {largest: 1}
    return {name: count / sum(batches.values()) for name, count in batches.items()}


def _flops(launched: Launched, buckets: Buckets, largest: Bucket) -> dict[str, int]:
    """Of one sample of each bucket. Those of a VAE are measured on the largest of each length that it sees, and are for
    other sizes in proportion to their area, as convolutions are."""
    if isinstance(launched.training.section, DenoiserStage):
        cases = {bucket: launched.case(bucket, 1, False) for bucket in buckets}
        return {str(bucket): denoiser_flops(case) for bucket, case in cases.items() if isinstance(case, DenoiserCase)}
    found = {}
    for bucket in buckets:
        seen = launched.case(bucket, 1, False).frames
        alike = [each for each in buckets if launched.case(each, 1, False).frames == seen]
        widest = largest if largest in alike else max(alike, key=lambda each: (each.height * each.width, each))
        count = launched.largest({widest: None})[1]
        passes = launched.passes(widest, count, False)
        found[str(bucket)] = passes.flops * bucket.height * bucket.width // (count * widest.height * widest.width)
    return found


def disk_of(project: Project, training: Training, counts: Mapping[str, int] | None) -> dict[str, int]:
    """Bytes that a training writes, and those of what is cached for it, which are known with the training set.

    Checkpoints hold weights, the optimizer's three numbers, the average, and companions without their gradients; beside
    the newest ones the best is kept, and one more while it is written.
    """
    launched, settings = Launched(project, training), project.settings
    parameters, companions = launched.sizes()
    one = parameters * (launched.config.precision.itemsize + 4 * WIDE) + 3 * WIDE * companions
    found = {"checkpoints": one * (training.schedule.keep_last + 2)}
    if not counts or not isinstance(training.section, DenoiserStage):
        return found
    if settings.latents.mode == "cached":
        latents = {name: bytes_of_latent(settings, Bucket.parse(name)) for name in counts}
        found["latents"] = sum(latents[name] * count for name, count in counts.items())
    if settings.text_embeddings.mode == "cached":
        text = settings.text_encoder
        found["text"] = WIDE * text.width * text.max_tokens * sum(counts.values())
    return found
