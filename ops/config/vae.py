"""The video VAE and what it is taught with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, Self

from pydantic import ConfigDict, Discriminator, Field, Tag, field_validator, model_validator

from ops.config.dataset import OwnCut
from ops.config.overrides import merge
from ops.config.section import Later, Name, Positive, Section, one_plus_four_n
from ops.config.training import OwnLaunch, Schedule


class WfVaeModel(Section):
    """The WF-VAE (arXiv 2411.17459) under our names; the defaults are WF-VAE-S with 8 channels."""

    base_channels: Positive = 128
    latent_channels: Positive = 8
    encoder_flow_channels: Positive = 128
    decoder_flow_channels: Positive = 128
    encoder_blocks: Positive = 2
    decoder_blocks: Positive = 2
    flow_blocks: Positive = 1
    attention: bool = True
    norm: Literal["layernorm", "groupnorm"] = "layernorm"
    temporal_upsampling: Literal["trilinear", "nearest"] = "trilinear"


class CausalVaeModel(Section):
    """The CausalVideoVAE of Open-Sora Plan v1.1 under our names; the defaults are its own."""

    base_channels: Positive = 128
    """A multiple of 32, the groups of its normalisation."""
    multipliers: Annotated[tuple[Positive, ...], Field(min_length=4, max_length=4)] = (1, 2, 4, 4)
    """The width of each level, finest first, in `base_channels`."""
    latent_channels: Positive = 4
    blocks: Positive = 2

    @field_validator("base_channels")
    @classmethod
    def _goes_into_groups(cls, value: int) -> int:
        if value % 32:
            raise ValueError(f"is {value}, but must be a multiple of 32, the groups of its normalisation")
        return value


VaeModel = WfVaeModel | CausalVaeModel


class VaeLosses(Section):
    told: ClassVar[tuple[str, ...]] = ("L1", "LPIPS", "KL")
    """The published ones, but for the adversarial."""
    squared_weight: Annotated[float, Field(ge=0)] = 0.0
    """Of the squared error beside the published absolute one: a short training needs it to see small things."""
    lpips_weight: Annotated[float, Field(ge=0)] = 1.0
    """0 leaves LPIPS and its network out."""
    lpips_net: Literal["alex", "vgg"] = "vgg"
    kl_weight: float = 1e-6
    adversarial_weight: float = 0.5
    adaptive_delta: Later[Annotated[float, Field(gt=0)]] = 1e-6
    """Added to the norm of the adversarial gradient, by which that of the other terms is divided."""
    adaptive_limit: Later[Annotated[float, Field(gt=0)]] = 1e6
    """The most that this quotient comes to."""
    discriminator: Later[Literal["clips", "frames"]] = "clips"
    """What the critic looks at: whole clips, through 3D convolutions, or their frames one by one, through 2D ones."""
    discriminator_start: Annotated[int, Field(ge=0)] = 0
    """The first step with the adversarial loss; at or past `steps` leaves the discriminator out."""
    discriminator_width: Positive = 64
    discriminator_layers: Positive = 4


class WfVaeLosses(VaeLosses):
    """The defaults are those of arXiv 2411.17459."""

    told: ClassVar = (*VaeLosses.told, "wavelet")
    wavelet_weight: float = 0.1
    """0 leaves the wavelet loss out, which the code of Open-Sora Plan v1.3 never computes."""


class CausalVaeLosses(VaeLosses):
    """The defaults are those of Open-Sora Plan v1.1."""

    adaptive_delta: Annotated[float, Field(gt=0)] = 1e-4
    adaptive_limit: Annotated[float, Field(gt=0)] = 1e4
    discriminator_start: Annotated[int, Field(ge=0)] = 1001
    """Published as 2001: its counter moves twice a batch, once for either network."""
    discriminator_layers: Positive = 3


class VaeViews(Section):
    """What the VAE sees of a sample in one step, drawn anew each time: short windows, as in the paper (25 frames of
    93), and for small datasets mirrored ones, too."""

    frames: Positive = 25
    flips: bool = False
    """Mirror left to right, top to bottom and in time, each with probability ½."""
    zoom: Positive = 1
    """Read samples at this many times their bucket's size and take a window of it at a random scale, from the whole
    frame down to 1/zoom of its sides: a few large pictures hold many small ones. 1 shows whole frames, as the paper."""

    @field_validator("frames")
    @classmethod
    def _one_plus_four_n(cls, value: int) -> int:
        return one_plus_four_n(value)


class VaeStage(Section):
    """One training of a VAE that has several, each from the best weights of the one before: its name, and what it says
    otherwise than the section `vae`, by the same keys. Its critic begins anew."""

    model_config = ConfigDict(extra="allow", frozen=True)
    OWN: ClassVar = ("views", "losses", "dataset", "schedule", "launch", "mix_factor")

    name: Name

    @model_validator(mode="after")
    def _says_what_it_may(self) -> Self:
        if strange := sorted(set(self.said) - set(self.OWN)):
            raise ValueError(f"a stage of the VAE has no {strange[0]}; it may say {', '.join(self.OWN)}")
        return self

    @property
    def said(self) -> Mapping[str, object]:
        return self.model_extra or {}


class Vae(Section):
    """What the VAEs have in common."""

    kind: ClassVar[Literal["vae"]] = "vae"
    """Of training, as the stages have one."""
    architecture: str
    released: str | None = None
    """A folder or registry entry with finished weights; set, nothing is trained and these are registered."""
    model: VaeModel
    views: VaeViews = VaeViews()
    losses: VaeLosses
    dataset: OwnCut = OwnCut()
    """The samples that it is trained on, where they differ from the recipe's `dataset`: a VAE learns from short and
    small ones."""
    schedule: Schedule
    launch: OwnLaunch = OwnLaunch()
    """How it is launched, where that differs from the recipe's `launch`: a VAE wants fewer ranks than a denoiser."""
    stages: Later[tuple[VaeStage, ...]] = ()
    """Trainings one after the other, for which all else here is what they have in common; without any there is one."""

    @property
    def trainings(self) -> dict[str, Self]:
        """Asset → this section as it is for the training that makes it, in order; the last makes the finished VAE.

        Raises:
            ValidationError: a stage says what does not go with the rest.
        """
        if self.released or not self.stages:
            return {self.architecture: self.model_copy(update={"stages": ()})}
        return {f"{self.architecture}_{stage.name}": self.with_stage(stage) for stage in self.stages}

    @property
    def places(self) -> list[str]:
        """Where the settings of each stand in the recipe."""
        stages = () if self.released else self.stages
        return [f"vae.stages.{stage.name}" for stage in stages] or ["vae"]

    @property
    def asset(self) -> str:
        """The one that the finished VAE is."""
        return f"{self.architecture}_{self.stages[-1].name}" if self.stages and not self.released else self.architecture

    def with_stage(self, stage: VaeStage) -> Self:
        """What one of the stages says, laid over what they have in common."""
        common = self.model_dump(exclude={"stages"})
        return type(self).model_validate(merge(common, stage.said))


class WfVae(Vae):
    architecture: Literal["wfvae"] = "wfvae"
    model: WfVaeModel = WfVaeModel()
    losses: WfVaeLosses = WfVaeLosses()


class CausalVae(Vae):
    architecture: Literal["causalvae"] = "causalvae"
    model: CausalVaeModel = CausalVaeModel()
    losses: CausalVaeLosses = CausalVaeLosses()
    image_vae: str | None = None
    """A folder with an image VAE of the same widths, under Stable Diffusion's own names, of whose weights the first
    training starts: its 2D kernels become the last tap of 3D ones. None starts from random weights."""
    mix_factor: float | None = None
    """What temporal resampling begins a training with: sigmoid(mix_factor) is the share of its fixed rule beside the
    learned one. None leaves it as it is; the published last stage sets 0.5."""

    def with_stage(self, stage: VaeStage) -> Self:
        found = super().with_stage(stage)
        return found if stage == self.stages[0] else found.model_copy(update={"image_vae": None})


def _architecture(section: object) -> str:
    if isinstance(section, Mapping):
        return str(section.get("architecture", "wfvae"))
    return str(getattr(section, "architecture", ""))


AnyVae = Annotated[
    Annotated[WfVae, Tag("wfvae")] | Annotated[CausalVae, Tag("causalvae")], Discriminator(_architecture)
]
"""The section `vae`, told by its `architecture`."""
