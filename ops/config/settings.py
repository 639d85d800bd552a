"""The whole tree of settings."""

from __future__ import annotations

from pydantic import ValidationError, model_validator

from ops.config.automation import Automation
from ops.config.captions import Captions
from ops.config.curation import Curation
from ops.config.dataset import Dataset, TextEncoder
from ops.config.denoiser import Denoiser
from ops.config.encodings import Latents, TextEmbeddings
from ops.config.release import Evaluation, Release
from ops.config.section import Section, told
from ops.config.sources import Sources
from ops.config.stages import Stage
from ops.config.training import Launch, OwnLaunch, Pictures, common_divisors
from ops.config.vae import Vae

TRAINED_VAE, TRAINED_DENOISER = "wfvae", "skiparse"


def _whole(own: OwnLaunch, launch: Launch, name: str) -> Launch:
    try:
        return own.over(launch)
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
    vae: Vae
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
        names = [stage.name for stage in self.stages]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"stages: the name {twice[0]!r} is used twice")
        return self

    @model_validator(mode="after")
    def _launches_are_whole(self) -> Settings:
        whole = {"launch": self.launch, "vae.launch": _whole(self.vae.launch, self.launch, "vae.launch")}
        for stage in self.stages:
            name = f"stages.{stage.name}.launch"
            whole[name] = _whole(stage.launch, self.launch, name)
        heads = self.denoiser.model.heads
        for name, launch in whole.items():
            if heads % launch.sequence_parallel:
                raise ValueError(
                    f"{name}.sequence_parallel is {launch.sequence_parallel}, but must divide denoiser.model.heads, "
                    f"{heads}, and {name}.ranks_per_node, {launch.ranks_per_node}: use "
                    f"{common_divisors(heads, launch.ranks_per_node)}"
                )
        return self

    def untrainable(self) -> tuple[str, ...]:
        """Why the recipe cannot be trained; one sentence for each reason, with its remedy.

        Such a recipe can be read, compared and curated for, so that it loads; what would train it refuses.
        """
        reasons = []
        if self.vae.architecture != TRAINED_VAE and not self.vae.released:
            reasons.append(
                f"vae.architecture is '{self.vae.architecture}', but only '{TRAINED_VAE}' can be trained: name "
                "finished weights in vae.released"
            )
        if self.denoiser.architecture != TRAINED_DENOISER:
            reasons.append(
                f"denoiser.architecture is '{self.denoiser.architecture}', but only '{TRAINED_DENOISER}' can be "
                f"trained: use {TRAINED_DENOISER}"
            )
        return tuple(reasons)
