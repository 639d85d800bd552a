"""The whole tree of settings."""

from __future__ import annotations

from pydantic import model_validator

from ops.config.automation import Automation
from ops.config.captions import Captions
from ops.config.curation import Curation
from ops.config.dataset import Dataset, TextEncoder
from ops.config.denoiser import Denoiser, Stage
from ops.config.release import Evaluation, Release
from ops.config.section import Section
from ops.config.sources import Sources
from ops.config.training import Launch, Pictures
from ops.config.vae import Vae


class Settings(Section):
    name: str
    seed: int = 1234
    sources: Sources = Sources()
    curation: Curation
    captions: Captions = Captions()
    dataset: Dataset
    text_encoder: TextEncoder
    vae: Vae
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
