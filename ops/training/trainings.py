"""The trainings of a recipe, each described once: assets, jobs, records and pages are drawn from this list."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from ops.catalogue import KINDS, Kind
from ops.config import Cut, DenoiserStage, Launch, Schedule, Settings, TrainingKind, Vae
from ops.config.stages import DEFAULT_KIND, Stage
from ops.metrics.base import Metric
from ops.metrics.held_out_loss import HeldOutLoss
from ops.metrics.psnr import Psnr
from ops.weights.results import BASE


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
    "lora": Procedure("ops.training.methods.denoiser", ("latents", "text_embeddings"), HeldOutLoss(), "loss", "lora"),
}
WHAT: dict[TrainingKind, str] = {
    "text_to_video": "The denoiser",
    "image_condition": "The denoiser that completes given frames,",
    "lora": "Adapters of the denoiser (LoRA)",
}
PREFIXES: dict[str, str] = {"text_to_video": "denoiser", "image_condition": "control", "lora": "lora"}
"""With which the assets of stages begin, by kind."""
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
    released: bool = False
    """Whether it starts from `denoiser.released`, the asset BASE."""

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
        if self.kind == "lora":
            return f"the base of '{self.name}' is frozen, and each rank keeps it whole for the average of its adapters"
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
        return (*((self.start,) if self.start else ()), *self.procedure.inputs)

    @property
    def start(self) -> str | None:
        """The asset whose weights it starts from."""
        return self.predecessor.asset if self.predecessor else BASE if self.released else None

    @property
    def description(self) -> str:
        if self.adopted:
            return "The video VAE, whose finished weights the recipe names (`vae.released`): registered, not trained."
        start = f"starting from {self.predecessor.name}" if self.predecessor else "from scratch"
        if self.released:
            start = "starting from finished weights (`denoiser.released`)"
        if isinstance(self.section, Vae):
            whole = "The video VAE, trained on the training set's pixels "
            whole += f"({', '.join(self.section.losses.told)} and adversarial losses)"
            return f"{whole}, {start}." if self.predecessor else f"{whole}."
        kinds = " and ".join(self.section.seen)
        return f"{WHAT[self.kind]} after {self.schedule.steps:,} steps on {kinds} samples, {start}."


def trainings(settings: Settings) -> dict[str, Training]:
    """Every training of a recipe by its asset, each after what it starts from: those of the VAE, then the stages."""
    found = [*_of_vae(settings), *_of_denoiser(settings)]
    return {each.asset: each for each in found}


def _of_vae(settings: Settings) -> Iterator[Training]:
    """Each starting from the one before."""
    before = None
    for place, (asset, own) in zip(settings.vae.places, settings.vae.trainings.items(), strict=True):
        before = _training(settings, asset, place, own, before)
        yield before


def _of_denoiser(settings: Settings) -> Iterator[Training]:
    """Each starting from the one before, but for adapters: all of these start from the last one of text to video."""
    base: Training | None = None
    before: Training | None = None
    for stage in settings.stages:
        start = base if stage.kind == "lora" else before
        made = _training(settings, asset_of(stage.name, stage.kind), f"stages.{stage.name}", stage, start)
        made = replace(made, released=start is None and settings.denoiser.released is not None)
        yield made
        base = made if stage.kind == DEFAULT_KIND else base
        before = before if stage.kind == "lora" else made


def _training(settings: Settings, asset: str, place: str, section: Vae | Stage, before: Training | None) -> Training:
    launch, cut = section.launch.over(settings.launch), settings.cut_of(section.dataset)
    return Training(asset, place, section, launch, *cut, before)


def training(settings: Settings, asset: str) -> Training:
    """Raises UnknownTraining for an asset that is none of the recipe's trainings."""
    known = trainings(settings)
    if asset not in known:
        raise UnknownTraining(f"preset '{settings.name}' has no training '{asset}'; it has: {', '.join(known)}")
    return known[asset]


def stages(settings: Settings) -> list[Training]:
    """The trainings of the denoiser, in order."""
    return [each for each in trainings(settings).values() if each.kind != "vae"]


def final(settings: Settings, line: str | None = None) -> Training:
    """The stage whose model makes the videos that are scored and released: of a line the one that it is called by, and
    of the recipe's own the last one of text to video, or, where there is none because `denoiser.released` takes its
    place, the last adapters."""
    if line:
        return training(settings, line)
    found = {each.kind: each for each in stages(settings)}
    return found.get(DEFAULT_KIND) or found["lora"]


def lines(settings: Settings) -> tuple[str | None, ...]:
    """What is sampled, scored and released: the recipe's own, which is None, and adapters beside it by their assets."""
    own = final(settings)
    return (None, *(each.asset for each in stages(settings) if each.kind == "lora" and each != own))


def asset_of(stage: str, kind: str = DEFAULT_KIND) -> str:
    """The asset that a stage of this name and kind makes."""
    return f"{PREFIXES[kind]}_{stage}"
