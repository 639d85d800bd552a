"""The whole tree of settings."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeVar

from pydantic import ValidationError, model_validator

from ops.catalogue import KINDS, Kind
from ops.config.automation import Automation
from ops.config.captions import Captions
from ops.config.curation import Curation
from ops.config.dataset import Cut, Dataset, OwnCut, TextEncoder
from ops.config.denoiser import Denoiser
from ops.config.encodings import Latents, TextEmbeddings
from ops.config.release import Evaluation, Release
from ops.config.section import Section, told
from ops.config.sources import Sources
from ops.config.stages import Stage
from ops.config.training import Launch, Pictures, common_divisors
from ops.config.vae import AnyVae, Vae

B = TypeVar("B")
W = TypeVar("W")
DEFAULT_CUT = "dataset"
"""The name of samples that are cut as the recipe's `dataset` says."""


class WantedCut(NamedTuple):
    """Samples that some trainings of a recipe want, of these kinds."""

    cut: Cut
    kinds: frozenset[Kind]


def _whole(laid_over: Callable[[B], W], base: B, name: str) -> W:
    """A training's own settings laid over the recipe's; an error says under which name they stand."""
    try:
        return laid_over(base)
    except ValidationError as error:
        reasons = "; ".join(": ".join((*map(str, each["loc"]), told(each["msg"]))) for each in error.errors())
        raise ValueError(f"{name}: {reasons}") from None


class Settings(Section):
    name: str
    seed: int = 1234
    sources: Sources = Sources()
    curation: Curation
    captions: Captions = Captions()
    dataset: Dataset
    text_encoder: TextEncoder
    text_embeddings: TextEmbeddings = TextEmbeddings()
    vae: AnyVae
    latents: Latents = Latents()
    denoiser: Denoiser = Denoiser()
    stages: tuple[Stage, ...]
    launch: Launch = Launch()
    pictures: Pictures = Pictures()
    evaluation: Evaluation
    release: Release = Release()
    automation: Automation = Automation()

    @model_validator(mode="after")
    def _stages_are_distinct(self) -> Settings:
        if not self.stages:
            raise ValueError("stages is empty: name at least one")
        for place, names in (
            ("stages", [stage.name for stage in self.stages]),
            ("vae.stages", [stage.name for stage in self.vae.stages]),
        ):
            if twice := sorted({name for name in names if names.count(name) > 1}):
                raise ValueError(f"{place}: the name {twice[0]!r} is used twice")
        return self

    @model_validator(mode="after")
    def _vae_stages_are_whole(self) -> Settings:
        for stage in self.vae.stages:
            _whole(self.vae.with_stage, stage, f"vae.stages.{stage.name}")
        return self

    @model_validator(mode="after")
    def _launches_are_whole(self) -> Settings:
        whole = {"launch": self.launch}
        for place, vae in self._vaes():
            whole[f"{place}.launch"] = _whole(vae.launch.over, self.launch, f"{place}.launch")
        for stage in self.stages:
            name = f"stages.{stage.name}.launch"
            whole[name] = _whole(stage.launch.over, self.launch, name)
        heads, latte = self.denoiser.model.heads, self.denoiser.architecture == "latte"
        for name, launch in whole.items():
            if latte and launch.sequence_parallel > 1:
                raise ValueError(
                    f"{name}.sequence_parallel is {launch.sequence_parallel}, but must be 1: one rank computes a video "
                    "where denoiser.architecture is latte"
                )
            if heads % launch.sequence_parallel:
                raise ValueError(
                    f"{name}.sequence_parallel is {launch.sequence_parallel}, but must divide denoiser.model.heads, "
                    f"{heads}, and {name}.ranks_per_node, {launch.ranks_per_node}: use "
                    f"{common_divisors(heads, launch.ranks_per_node)}"
                )
        return self

    @model_validator(mode="after")
    def _further_stages_come_last(self) -> Settings:
        plain = [number for number, stage in enumerate(self.stages) if stage.kind == "text_to_video"]
        further = [stage for stage in self.stages if stage.kind != "text_to_video"]
        if not further:
            return self
        told = f"stages.{further[0].name} is of kind {further[0].kind}"
        if plain != list(range(len(plain))) or not (plain or self.denoiser.released):
            released = "" if plain else ", or name finished weights in denoiser.released"
            raise ValueError(
                f"{told}, which starts from stages of kind text_to_video: list all of these before it{released}"
            )
        control = [stage for stage in further if stage.kind == "image_condition"]
        if control and self.denoiser.architecture != "skiparse":
            raise ValueError(
                f"stages.{control[0].name} is of kind {control[0].kind}, which only denoiser.architecture skiparse has"
            )
        if len(control) == len(self.stages):
            raise ValueError(
                f"{told}, and no stage makes videos of text to be scored: add one of kind text_to_video or lora"
            )
        return self

    @model_validator(mode="after")
    def _stages_fit_the_architecture(self) -> Settings:
        latte = self.denoiser.architecture == "latte"
        for stage in self.stages:
            if stage.images_behind and not latte:
                raise ValueError(
                    f"stages.{stage.name}.joint_images is {stage.images_behind}, but must be 0: images ride behind a "
                    "video only where denoiser.architecture is latte"
                )
            if stage.sparse_ratio not in (None, 1) and latte:
                raise ValueError(f"stages.{stage.name}.sparse_ratio is {stage.sparse_ratio}, but must be 1 for latte")
        return self

    @model_validator(mode="after")
    def _cuts_are_whole(self) -> Settings:
        for place, vae in self._vaes():
            _whole(vae.dataset.over, self.dataset, f"{place}.dataset")
        for stage in self.stages:
            _whole(stage.dataset.over, self.dataset, f"stages.{stage.name}.dataset")
        return self

    def _vaes(self) -> list[tuple[str, Vae]]:
        """The sections of the VAE's trainings, each with the place that an error names."""
        return list(zip(self.vae.places, self.vae.trainings.values(), strict=True))

    def cut_of(self, own: OwnCut) -> tuple[str, Cut]:
        """What a training says of its samples, as a whole, and the name by which they go in the training set."""
        cut = own.over(self.dataset)
        return cut.differs_from(self.dataset) or DEFAULT_CUT, cut

    def cuts(self) -> dict[str, WantedCut]:
        """All that is cut out of the curated items, by name: what the VAE and the stages are trained on."""
        wanted: dict[str, WantedCut] = {}
        owners: list[tuple[OwnCut, tuple[Kind, ...]]] = [(stage.dataset, stage.seen) for stage in self.stages]
        if not self.vae.released:
            owners = [*((vae.dataset, KINDS) for vae in self.vae.trainings.values()), *owners]
        for own, kinds in owners:
            name, cut = self.cut_of(own)
            before = wanted[name].kinds if name in wanted else frozenset()
            wanted[name] = WantedCut(cut, before | frozenset(KINDS if name == DEFAULT_CUT else kinds))
        return wanted

    def stage_cuts(self) -> tuple[str, ...]:
        """Those of them that stages are trained on, by name."""
        return tuple(sorted({self.cut_of(stage.dataset)[0] for stage in self.stages}))
