"""Which captioner the recipe names. What talks to models is loaded only if it is asked for."""

from __future__ import annotations

from ops.data.captioning.base import Captioner
from ops.data.captioning.prompts import Prompts
from ops.data.captioning.sidecar import SidecarCaptioner
from ops.runtime.project import Project


def captioner(project: Project) -> Captioner:
    """The one that the recipe names."""
    settings, seed = project.settings.captions, project.settings.seed
    if settings.captioner == "sidecar":
        return SidecarCaptioner(seed)
    assert settings.model is not None  # checked with the settings
    if settings.captioner == "transformers":
        from ops.data.captioning.local import TransformersCaptioner

        local = settings.local
        return TransformersCaptioner(
            project.root / settings.model,
            Prompts.of(settings),
            device=local.device or project.accelerator,
            batch_size=local.batch_size,
            dtype=local.dtype,
            frames=settings.frames,
            side=settings.side,
            max_tokens=settings.max_tokens,
        )
    from ops.data.captioning.endpoint import EndpointCaptioner

    assert settings.endpoint is not None
    return EndpointCaptioner(
        settings.endpoint,
        settings.model,
        Prompts.of(settings),
        seed,
        frames=settings.frames,
        side=settings.side,
        max_tokens=settings.max_tokens,
        **settings.requests.model_dump(),
    )
