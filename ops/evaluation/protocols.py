"""The protocols of this project's scores, drawn from the recipe and from what the models were trained on."""

from __future__ import annotations

from ops.config import Evaluation
from ops.evaluation.protocol import Protocol
from ops.metrics.base import VideoMetric
from ops.metrics.registry import METRICS, of_reconstructions
from ops.runtime.artifacts import Artifact
from ops.runtime.files import digest
from ops.runtime.project import Project
from ops.sampling.noise_schedule import spacing_version
from ops.training.recipe import recipe_of
from ops.training.results import Trained

GENERATION, HELD_OUT, RECONSTRUCTION = "t2v-custom/v1", "held-out-loss/v1", "vae-recon/v1"


def generation(evaluation: Evaluation, codec: str) -> Protocol:
    """Scores of generated videos: the recipe's own prompts (not VBench's suite), read back from the encoded files."""
    terms = evaluation.model_dump(mode="json", exclude={"prompts", "checkpoints"})
    terms = {key: value for key, value in terms.items() if not key.startswith("reconstruction_")}
    if not evaluation.guidance_rescale:  # scores from before there was a choice are of the same protocol
        del terms["guidance_rescale"]
    if version := spacing_version(evaluation.steps):
        terms["spacing"] = version
    return Protocol(
        GENERATION,
        {
            **terms,
            "prompts": digest(list(evaluation.prompts)),
            "prompt_count": len(evaluation.prompts),
            "codec": codec,
            "static_filter": "off",
        },
        metrics={"temporal_flickering": METRICS["temporal_flickering"].version},
    )


def of_metric(metric: VideoMetric, made: Protocol, project: Project) -> Protocol:
    """What a metric's scores of videos that were made as `made` says are measured under.

    Raises:
        MissingWeights: the metric's are not here.
    """
    versions = {metric.reader or metric.name: metric.version}
    return Protocol(metric.protocol or made.name, made.terms, versions, metric.hashes(project))


def held_out_loss(denoiser: Artifact[Trained]) -> Protocol:
    """The training's own held-out loss: it depends on the latents, so on dataset and VAE, on how many of the held-out
    samples were looked at, and on the diffusion that the training was of."""
    trained = recipe_of(denoiser)
    return Protocol(
        HELD_OUT,
        {
            "latents": denoiser.inputs["latents"],
            "kinds": sorted(trained.kinds),
            "diffusion": digest(trained.written("denoiser", "diffusion")),
            "samples": trained.validate_samples,
            "seed": trained.seed,
        },
        metrics={"held_out_loss": METRICS["held_out_loss"].version},
    )


def reconstruction(project: Project, manifest: list[str]) -> Protocol:
    """VAE reconstruction as WF-VAE's paper has it: posterior mode, no re-encoding, 8-bit rounding, held-out items.
    Metrics whose weights are not here take no part."""
    metrics = measurable(project)
    evaluation = project.settings.evaluation
    return Protocol(
        RECONSTRUCTION,
        {
            "mode": "tensor",
            "frames": evaluation.reconstruction_frames,
            "frame_stride": 1,
            "size": evaluation.reconstruction_size,
            "resize": "shortest side, antialiased, centre crop",
            "rounding": "8 bit",
            "latent": "mode",
            "precision": "float32",
            "items": digest(sorted(manifest)),
            "item_count": len(manifest),
        },
        metrics={metric.name: metric.version for metric in metrics},
        weights={name: found for metric in metrics for name, found in metric.hashes(project).items()},
    )


def measurable(project: Project) -> list[VideoMetric]:
    """The metrics of reconstructions that nothing is missing for."""
    return [metric for metric in of_reconstructions() if not metric.missing(project)]


def setting(key: str) -> str | None:
    """The setting of the recipe that a key of an identity's `protocol` comes from; None for what other keys tell."""
    if key == "protocol.id":
        return None
    term = key.removeprefix("protocol.terms.")
    for name in (term, f"reconstruction_{term}"):
        if name in Evaluation.model_fields:
            return f"evaluation.{name}"
    return key
