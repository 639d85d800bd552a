"""The stages that train a denoiser, each by its kind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from ops.catalogue import Kind
from ops.config.dataset import OwnCut
from ops.config.section import Executed, Later, Name, Positive, Section, Share
from ops.config.training import OwnLaunch, Schedule

StageKind = Literal["text_to_video", "image_condition", "structure", "refiner", "lora"]
TrainingKind = Literal["vae", StageKind]
DEFAULT_KIND: StageKind = "text_to_video"

NOT_TRAINED_YET: dict[StageKind, str] = {
    "structure": "training on a structure to follow",
    "refiner": "training to enlarge what another model has made",
}
"""The kinds that a recipe may be meant to name, but that nothing here trains: what each would be."""
TRAINED: tuple[StageKind, ...] = (DEFAULT_KIND, "image_condition", "lora")


class DenoiserStage(Section):
    """What stages of all kinds say; each starts from the one before it in the list."""

    name: Name
    kinds: tuple[Kind, ...]
    """Of samples that its batches are of."""
    sparse_ratio: Positive | None = None
    """Overrides the model's for this stage: 1 is full attention (paper: image training starts dense)."""
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
    def images_behind(self) -> int:
        """How many images ride behind each video."""
        return 0

    @property
    def seen(self) -> tuple[Kind, ...]:
        """The kinds of all samples that it learns from."""
        return ("video", "image") if self.images_behind else self.kinds


class OfText(DenoiserStage):
    """Text to images and videos, on latents."""

    joint_images: Later[Annotated[int, Field(ge=0)]] = 0
    """So many images of the same size, each with its own caption, ride behind the frames of every video, as in
    Open-Sora Plan v1.1; of latte alone, and of stages whose `kinds` are videos."""

    @property
    def images_behind(self) -> int:
        return self.joint_images

    @model_validator(mode="after")
    def _images_ride_behind_videos(self) -> Self:
        if self.joint_images and self.kinds != ("video",):
            raise ValueError(f"joint_images is {self.joint_images}, so kinds must be [video]: images ride behind these")
        return self


class TextToVideo(OfText):
    """All weights of the denoiser are trained."""

    kind: Later[Literal["text_to_video"]] = "text_to_video"


AdapterTarget = Literal["attention", "self_attention", "cross_attention", "feed_forward"]
"""Linear layers of a block (`models.adapters.TARGETS`)."""


class Lora(Section):
    """Low-rank adapters (arXiv 2106.09685)."""

    rank: Positive = 16
    alpha: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 16.0
    """Adapters add alpha / rank times what they have learned."""
    targets: Annotated[tuple[AdapterTarget, ...], Field(min_length=1)] = ("attention",)
    """What they stand beside; `attention` is `self_attention` and `cross_attention`."""


class LowRankStage(OfText):
    """Adapters beside the weights of the last stage of text to video, or of `denoiser.released`, which stay as they
    are. Each such stage starts from these, whichever stands before it."""

    kind: Literal["lora"] = "lora"
    lora: Lora = Lora()

    @model_validator(mode="after")
    def _is_as_sparse_as_its_base(self) -> LowRankStage:
        if self.sparse_ratio:
            raise ValueError(f"sparse_ratio is {self.sparse_ratio}, but adapters are trained at that of their base")
        return self


Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]
MaskRow = Literal["1-1", "1-2", "1-3", "1-4", "1-5", "1-6", "1-7", "2"]
"""A row of the published schedule (`models.control.mask_schedule`)."""


class Masks(Section):
    """How often each type of mask is drawn for a video, as weights of any sum, and how much of it is given."""

    t2iv: Weight = 0.0
    """No frame is given."""
    i2v: Weight = 0.0
    """The first one."""
    transition: Weight = 0.0
    """The first and the last one."""
    continuation: Weight = 0.0
    """The first n."""
    random_temporal: Weight = 0.0
    """Any n."""
    clear: Weight = 0.0
    """All of them."""
    min_given: Share = 0.0
    """The least share of the frames that n is drawn from, and the largest."""
    max_given: Share = 1.0

    @model_validator(mode="after")
    def _draws_something(self) -> Masks:
        if not any((self.t2iv, self.i2v, self.transition, self.continuation, self.random_temporal, self.clear)):
            raise ValueError("all types of masks have weight 0: give at least one a weight")
        if self.min_given > self.max_given:
            raise ValueError(f"min_given {self.min_given} exceeds max_given {self.max_given}")
        return self


class ImageCondition(DenoiserStage):
    """Completion of given frames (v1.3's controller for images, arXiv 2412.00131). The first such stage starts from the
    best weights of the last one of text to video, a further one from the last weights of the one before: mixtures of
    masks differ, so that their held-out losses do not compare."""

    kind: Literal["image_condition"]
    masks: MaskRow | Masks
    """A row of the published schedule, or weights. Of an image all or nothing is given, by equal chance."""
    noise_given: bool = False
    """Add noise to the given frames before they are encoded: exp(N(-3, 0.5)) times a normal draw, of pixels in [-1, 1],
    so that a given picture need not be perfect."""
    generic_caption_share: Share = 0.5
    """Of dropped captions, those that become a sentence that says nothing of the sample instead of nothing."""


def _has_a_training(stage: object) -> object:
    kind = _kind(stage)
    if kind in TRAINED:
        return stage
    if kind == "vae":
        raise ValueError("kind is 'vae', but the VAE is trained before all stages: its settings are the section vae")
    if kind in NOT_TRAINED_YET:
        raise ValueError(
            f"kind is '{kind}' ({NOT_TRAINED_YET[kind]}), of which there is no training yet: leave the stage out, or "
            f"make it {DEFAULT_KIND}"
        )
    raise ValueError(f"kind is {kind!r}, but the kinds are: {', '.join([*TRAINED, *NOT_TRAINED_YET])}")


def _kind(stage: object) -> str:
    """A stage with a section `lora` need not say its kind."""
    if isinstance(stage, Mapping):
        return str(stage.get("kind", "lora" if "lora" in stage else DEFAULT_KIND))
    return str(getattr(stage, "kind", DEFAULT_KIND))


Stage = Annotated[
    Annotated[TextToVideo, Tag("text_to_video")]
    | Annotated[ImageCondition, Tag("image_condition")]
    | Annotated[LowRankStage, Tag("lora")],
    Discriminator(_kind),
    BeforeValidator(_has_a_training),
]
"""One training stage of the denoiser, told by its `kind`."""
