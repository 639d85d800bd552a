"""The trainings of a recipe, each described once: assets, jobs, records and pages are drawn from this list."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ops.catalogue import KINDS, Kind
from ops.config import Cut, DenoiserStage, Launch, Schedule, Settings, TrainingKind, Vae
from ops.config.stages import DEFAULT_KIND, Stage
from ops.metrics.base import Metric
from ops.metrics.held_out_loss import HeldOutLoss
from ops.metrics.psnr import Psnr


@dataclass(frozen=True)
class Procedure:
    """How models of one kind are trained.

    `program` is the module that the launcher runs, `inputs` are the assets that it reads besides the training before
    it, `metric` is what judges it on held-out data, `label` the name of that in tables, and `group` is where Dagster
    shows it. A `whole` model is trained by its parts and not through `forward`: no engine takes it apart, and no ranks
    compute a sample of it together.
    """

    program: str
    inputs: tuple[str, ...]
    metric: Metric
    label: str
    group: str
    whole: bool = False


PROCEDURES: dict[TrainingKind, Procedure] = {
    "vae": Procedure("ops.training.methods.vae", ("training_set",), Psnr(), "PSNR", "vae", whole=True),
    "text_to_video": Procedure(
        "ops.training.methods.denoiser", ("latents", "text_embeddings"), HeldOutLoss(), "loss", "denoiser"
    ),
    "image_condition": Procedure(
        "ops.training.methods.image_condition", ("latents", "text_embeddings"), HeldOutLoss(), "loss", "control"
    ),
}
LABELS = {each.metric.name: each.label for each in PROCEDURES.values()}
"""Metric → its name in tables."""


class UnknownTraining(ValueError):
    """A training that the recipe does not have; the message lists those that it has."""


@dataclass(frozen=True)
class Training:
    """One training of a recipe: the asset that it makes, its section there, and how it is launched.

    `place` is where in the recipe its own settings stand, for errors; of a VAE that is trained in stages, `section` is
    the section of the VAE as it is for this one. `predecessor` is the one whose best weights it starts from. `cut`
    names its samples in the training set, which are cut out of the curated items as `dataset` says.
    """

    asset: str
    place: str
    section: Vae | Stage
    launch: Launch
    cut: str
    dataset: Cut
    predecessor: Training | None = None

    @property
    def kind(self) -> TrainingKind:
        return self.section.kind

    @property
    def procedure(self) -> Procedure:
        return PROCEDURES[self.kind]

    @property
    def schedule(self) -> Schedule:
        return self.section.schedule

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """Of samples that it learns from."""
        return KINDS if isinstance(self.section, Vae) else self.section.kinds

    @property
    def stays_whole(self) -> str | None:
        """Why an engine must not take its weights apart, as ZeRO-3 does; None where it may."""
        if self.procedure.whole:
            return f"the {self.kind} is trained by its parts"
        if isinstance(self.section, DenoiserStage) and self.section.compile:
            return f"compile is true for stage '{self.name}', and would take in what ZeRO-3 does around each layer"
        return None

    @property
    def ranks_of_a_video(self) -> int:
        """How many ranks compute one together."""
        return 1 if self.procedure.whole else self.launch.sequence_parallel

    @property
    def name(self) -> str:
        """In the recipe, and in names of runs."""
        return self.asset if isinstance(self.section, Vae) else self.section.name

    @property
    def adopted(self) -> str | None:
        """The finished weights that take its place, as the recipe calls them."""
        return self.section.released if isinstance(self.section, Vae) else None

    @property
    def inputs(self) -> tuple[str, ...]:
        """All assets that it is made from."""
        return (*((self.predecessor.asset,) if self.predecessor else ()), *self.procedure.inputs)

    @property
    def description(self) -> str:
        if self.adopted:
            return "The video VAE, whose finished weights the recipe names (`vae.released`): registered, not trained."
        start = f"starting from {self.predecessor.name}" if self.predecessor else "from scratch"
        if isinstance(self.section, Vae):
            whole = "The video VAE, trained on the training set's pixels "
            whole += f"({', '.join(self.section.losses.told)} and adversarial losses)"
            return f"{whole}, {start}." if self.predecessor else f"{whole}."
        kinds = " and ".join(self.section.seen)
        what = "The denoiser" if self.kind == DEFAULT_KIND else "The denoiser that completes given frames,"
        return f"{what} after {self.schedule.steps:,} steps on {kinds} samples, {start}."


def trainings(settings: Settings) -> dict[str, Training]:
    """Every training of a recipe by its asset, each after what it starts from: those of the VAE, then the stages."""
    vae = settings.vae
    of_vae = [(asset, place, own) for place, (asset, own) in zip(vae.places, vae.trainings.items(), strict=True)]
    of_denoiser = [(asset_of(stage.name, stage.kind), f"stages.{stage.name}", stage) for stage in settings.stages]
    return {each.asset: each for each in (*_chained(settings, of_vae), *_chained(settings, of_denoiser))}


def _chained(settings: Settings, chain: Iterable[tuple[str, str, Vae | Stage]]) -> Iterator[Training]:
    """Trainings of one model, each starting from the one before."""
    before = None
    for asset, place, section in chain:
        launch, cut = section.launch.over(settings.launch), settings.cut_of(section.dataset)
        before = Training(asset, place, section, launch, *cut, before)
        yield before


def training(settings: Settings, asset: str) -> Training:
    """Raises UnknownTraining for an asset that is none of the recipe's trainings."""
    known = trainings(settings)
    if asset not in known:
        raise UnknownTraining(f"preset '{settings.name}' has no training '{asset}'; it has: {', '.join(known)}")
    return known[asset]


def stages(settings: Settings) -> list[Training]:
    """The trainings of the denoiser, in order."""
    return [each for each in trainings(settings).values() if each.kind != "vae"]


def final(settings: Settings) -> Training:
    """The last stage of text to video, whose model makes the videos that are scored and released."""
    return [each for each in stages(settings) if each.kind == DEFAULT_KIND][-1]


def asset_of(stage: str, kind: str = DEFAULT_KIND) -> str:
    """The asset that a stage of this name and kind makes."""
    return f"{'denoiser' if kind == DEFAULT_KIND else 'control'}_{stage}"
