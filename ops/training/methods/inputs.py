"""The artifacts that a job was made for."""

from __future__ import annotations

from ops.data import latents
from ops.data.latents import LatentsResults
from ops.runtime.artifacts import Artifact, R, find
from ops.training.job import Job
from ops.weights.results import Weights


def input_of(job: Job, asset: str, kind: type[R]) -> Artifact[R]:
    """The version of an asset that this job was made for, whatever has become current since.

    Raises:
        FileNotFoundError: when that version is gone.
    """
    found = find(job.project, asset, job.inputs[asset], kind)
    if found is None:
        raise FileNotFoundError(
            f"version {job.inputs[asset]} of '{asset}' is gone; run `soraflow run --select '+{asset}'`"
        )
    return found


def vae_of(job: Job) -> Artifact[Weights] | None:
    """The VAE that the job's latents were made with, whatever has become of the recipe since; None when it is gone."""
    encoded = find(job.project, "latents", job.inputs["latents"], LatentsResults)
    return find(job.project, *latents.vae_of(encoded), Weights) if encoded else None


def needed_vae(job: Job) -> Artifact[Weights]:
    """The same, for a training that cannot do without.

    Raises:
        FileNotFoundError: when it is gone.
    """
    found = vae_of(job)
    if found is None:
        name = job.settings.vae.asset
        raise FileNotFoundError(
            f"the VAE of latents {job.inputs['latents']} is gone, and this training encodes on the way: make it, and "
            f"what was made by it, again with `soraflow run --select '{name}+'`"
        )
    return found
