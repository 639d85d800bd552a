"""The `denoiser_released` asset: finished weights that `denoiser.released` names, from which the first stage starts.

They come with the units of the latents that they know. These become those of the recipe's latents: measured anew, over
other videos, they would be others, and the weights would not know what they see.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ops.config import ConfigError, Diffusion, Settings
from ops.runtime.artifacts import Artifact, Identity, Work
from ops.runtime.files import digest
from ops.runtime.project import Project
from ops.training.finished import Finished, finished
from ops.weights.content import weights_hash
from ops.weights.results import BASE, ReleasedDenoiser

SAID_BY = {
    "layers": "denoiser.model.layers",
    "heads": "denoiser.model.heads",
    "head_width": "denoiser.model.head_width",
    "absolute_positions": "denoiser.model.absolute_positions",
    "in_channels": "vae.model.latent_channels",
    "text_width": "text_encoder.width",
}
"""Field of a network's configuration → the setting that has to say the same."""


class BaseIdentity(Identity):
    """Of weights by their content, and the units of their latents."""

    weights: str
    shift: tuple[float, ...]
    scale: tuple[float, ...]

    def setting(self, key: str) -> str | None:
        return {"weights": "denoiser.released", "scale": "denoiser.released_scale"}.get(key)


def make_base(project: Project) -> Artifact[ReleasedDenoiser]:
    """The weights as an artifact of this project, in the released form.

    Raises:
        ConfigError: there are none, they are of another architecture or size than the recipe says, were trained under
            another diffusion or text encoder, or do not tell the units of their latents and the recipe does not either.
    """
    from models import released

    work, found = _work(project)
    if done := work.finished():
        return done
    folder = work.folder / "released"
    released.save_pretrained(released.from_pretrained(found.folder), folder)
    payload = work.identity.payload()
    shift, scale = _units(project.settings, found)
    results = ReleasedDenoiser(
        released=folder.name,
        source=project.settings.denoiser.released,
        shift=shift,
        scale=scale,
        vae=weights_hash(found.vae) if found.vae else None,
    )
    return work.finish(digest({"weights": weights_hash(folder), **payload}), results)


def planned(project: Project) -> Work[ReleasedDenoiser]:
    """The work of `make_base`, without doing it; it raises the same."""
    return _work(project)[0]


def require(project: Project) -> Finished:
    """The weights, which fit the recipe; none of them is read. It raises the same as `make_base`."""
    name = project.settings.denoiser.released
    if name is None:
        raise ConfigError("denoiser.released names no finished weights")
    found = finished(project, name, "denoiser")
    if odd := list(_misfits(project.settings, found)):
        raise ConfigError(f"denoiser.released is '{name}', which does not fit this recipe: {'; '.join(odd)}")
    _units(project.settings, found)
    return found


def _work(project: Project) -> tuple[Work[ReleasedDenoiser], Finished]:
    found = require(project)
    shift, scale = _units(project.settings, found)
    identity = BaseIdentity(weights=weights_hash(found.folder), shift=shift, scale=scale)
    return Work(project, BASE, {}, identity, ReleasedDenoiser), found


def _units(settings: Settings, found: Finished) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Shift and scale of the latents that the weights know, a number a channel."""
    told = settings.denoiser.released_scale
    if found.shift is not None and found.scale is not None:
        if told:
            raise ConfigError(
                f"denoiser.released_scale is {told:g}, but '{settings.denoiser.released}' tells the units of its "
                "latents: remove it"
            )
        return found.shift, found.scale
    if told is None:
        raise ConfigError(
            f"denoiser.released is '{settings.denoiser.released}', of which nobody here knows in which units its "
            "latents are: set denoiser.released_scale (0.18215 for weights of Open-Sora Plan), or name the weights "
            "where soraflow has trained them"
        )
    channels = settings.vae.model.latent_channels
    return (0.0,) * channels, (told,) * channels


def _misfits(settings: Settings, found: Finished) -> Iterator[str]:
    """What the recipe says otherwise, with what it should say; no weights are read."""
    for setting, wanted in _shape(settings, found).items():
        said = _said(settings, setting)
        if said != wanted:
            yield f"set {setting}={str(wanted).lower() if isinstance(wanted, bool) else wanted} (is {said})"
    if found.diffusion is not None:
        ours = settings.denoiser.diffusion.model_dump()
        for key, value in Diffusion.model_validate(found.diffusion).model_dump().items():
            if value != ours[key] and key not in LEARNED_ANEW:
                yield f"set denoiser.diffusion.{key}={'null' if value is None else value} (is {ours[key]})"
    if found.text_encoder not in (None, settings.text_encoder.weights):
        yield f"set text_encoder.weights={found.text_encoder} (is {settings.text_encoder.weights})"


LEARNED_ANEW = ("min_snr_gamma", "noise_offset", "caption_dropout")
"""Of the diffusion, what weighs a training and does not change what a denoiser is asked for."""


def _shape(settings: Settings, found: Finished) -> dict[str, Any]:
    """The setting → the value that the weights' own configuration has for it."""
    import torch

    from models import released
    from models.dit.denoiser import SkiparseDenoiser
    from models.latte import LatteDenoiser

    config = released.read_config(found.folder)
    with torch.device("meta"):
        model = released.build(str(config.get("_class_name")), config)
    architectures = {SkiparseDenoiser: "skiparse", LatteDenoiser: "latte"}
    if type(model) not in architectures:
        raise ConfigError(
            f"denoiser.released is '{settings.denoiser.released}', a {config.get('_class_name')}, but must be a "
            "denoiser of text to video"
        )
    told = {setting: getattr(model.config, field, None) for field, setting in SAID_BY.items()}
    shape = {setting: value for setting, value in told.items() if value is not None}
    return {"denoiser.architecture": architectures[type(model)], **shape}


def _said(settings: Settings, setting: str) -> Any:
    found: Any = settings
    for key in setting.split("."):
        found = getattr(found, key)
    return found
