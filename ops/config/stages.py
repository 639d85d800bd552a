"""The stages that train a denoiser, each by its kind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from ops.catalogue import Kind
from ops.config.dataset import OwnCut
from ops.config.section import Executed, Later, Name, Positive, Section
from ops.config.training import OwnLaunch, Schedule

StageKind = Literal["text_to_video", "image_condition", "structure", "refiner", "lora"]
TrainingKind = Literal["vae", StageKind]
DEFAULT_KIND = "text_to_video"

NOT_TRAINED_YET: dict[StageKind, str] = {
    "image_condition": "training on given first and last frames",
    "structure": "training on a structure to follow",
    "refiner": "training to enlarge what another model has made",
    "lora": "training of low-rank adapters",
}
"""The kinds that a recipe may be meant to name, but that nothing here trains: what each would be."""


class TextToVideo(Section):
    """Text to images and videos, on cached latents; it starts from the stage before it in the list."""

    kind: Later[Literal["text_to_video"]] = "text_to_video"
    name: Name
    kinds: tuple[Kind, ...]
    """Of samples that its batches are of."""
    sparse_ratio: Positive | None = None
    """Overrides the model's for this stage: 1 is full attention (paper: image training starts dense)."""
    joint_images: Later[Annotated[int, Field(ge=0)]] = 0
    """So many images of the same size, each with its own caption, ride behind the frames of every video, as in
    Open-Sora Plan v1.1; of latte alone, and of stages whose `kinds` are videos."""
    gradient_checkpointing: Executed[bool] = False
    """Compute what each block remembers again in the backward pass, instead of keeping it: much less memory, for about
    a third more time."""
    compile: Executed[bool] = False
    """Blocks go through `torch.compile`: the first steps of each bucket are slow, the others faster."""
    dataset: OwnCut = OwnCut()
    """The samples that the stage is trained on, where they differ from the recipe's `dataset`."""
    schedule: Schedule
    launch: OwnLaunch = OwnLaunch()
    """How the stage is launched, where that differs from the recipe's `launch`."""

    @property
    def seen(self) -> tuple[Kind, ...]:
        """The kinds of all samples that it learns from."""
        return ("video", "image") if self.joint_images else self.kinds

    @model_validator(mode="after")
    def _images_ride_behind_videos(self) -> TextToVideo:
        if self.joint_images and self.kinds != ("video",):
            raise ValueError(f"joint_images is {self.joint_images}, so kinds must be [video]: images ride behind these")
        return self


def _has_a_training(stage: Any) -> Any:
    kind = stage.get("kind", DEFAULT_KIND) if isinstance(stage, Mapping) else DEFAULT_KIND
    if kind == DEFAULT_KIND:
        return stage
    if kind == "vae":
        raise ValueError("kind is 'vae', but the VAE is trained before all stages: its settings are the section vae")
    if kind in NOT_TRAINED_YET:
        raise ValueError(
            f"kind is '{kind}' ({NOT_TRAINED_YET[kind]}), of which there is no training yet: leave the stage out, or "
            f"make it {DEFAULT_KIND}"
        )
    raise ValueError(f"kind is {kind!r}, but the kinds are: {', '.join([DEFAULT_KIND, *NOT_TRAINED_YET])}")


Stage = Annotated[TextToVideo, BeforeValidator(_has_a_training)]
"""One training stage of the denoiser, told by its `kind`. A second kind with a training makes this a union of both."""
