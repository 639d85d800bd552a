"""What would end a training of the recipe, or show it less than it asks for, told before the first one begins.

A stage may come days after the VAE. That it will have no samples, cannot be trained or cannot spread its batches over
the ranks is known as soon as the training set lies there, and some of it before anything does.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from ops.catalogue import Kind
from ops.config import ConfigError, DenoiserStage, Settings
from ops.data.text_encoder import as_read
from ops.runtime.project import Project
from ops.training.data.batch_sizes import NoBatches, batch_sizes, largest, too_small
from ops.training.data.bucket_counts import bucket_counts
from ops.training.data.images_behind import IMAGES, require_images
from ops.training.trainings import Training, stages, trainings

SOURCES: dict[Kind, str] = {"video": "sources.videos", "image": "sources.images"}
TABLES: dict[Kind, str] = {"video": "raw_videos", "image": "raw_images"}


class NotReady(ConfigError):
    """Trainings of the recipe cannot come to their end; one line for each reason, with its remedy."""


def require_sources(settings: Settings, assets: Collection[str]) -> None:
    """Of a run that is to make these assets from the source files on: that its stages have sources to train on.

    Raises:
        NotReady: naming each stage, what it lacks, and the setting.
    """
    given = {"video": settings.sources.videos, "image": settings.sources.images}
    lacking = {kind for kind, table in TABLES.items() if table in assets and not given[kind]}
    among = [stage for _, stage in _among(settings, assets)]
    wanted = [(stage, kinds) for stage in among for kinds in (stage.kinds, IMAGES * bool(stage.images_behind))]
    _raise(
        f"stage '{stage.name}' will have no {_or(kinds)} samples: {_setting(kinds)} is null; "
        f"{_remedy(stage, 'name a folder there')}"
        for stage, kinds in wanted
        if kinds and lacking.issuperset(kinds)
    )


def require_ready(project: Project, dataset: Path, assets: Collection[str]) -> list[str]:
    """Of the training set in this folder: that every training among these assets can be done on it. Returns what is no
    obstacle, but less than a stage asks for.

    Raises:
        NotReady: naming each training, what stands in its way, and what helps.
    """
    settings = project.settings
    wanted = _among(settings, assets)
    obstacles = [
        *_unsplittable(project, assets),
        *_without_samples(wanted, dataset),
        *_without_batches(wanted, dataset),
    ]
    _raise([*obstacles, *(_unread_prompts(settings) if "samples" in assets else ())])
    return [
        f"stage '{each.name}' will see no {kind} samples: the training set has none"
        for each, stage in wanted
        for kind in stage.kinds
        if not bucket_counts(dataset, each, kinds=(kind,))
    ]


Stages = Sequence[tuple[Training, DenoiserStage]]


def _among(settings: Settings, assets: Collection[str]) -> Stages:
    found = [each for each in stages(settings) if each.asset in assets]
    return [(each, each.section) for each in found if isinstance(each.section, DenoiserStage)]


def _unsplittable(project: Project, assets: Collection[str]) -> Iterator[str]:
    from ops.training.loop.engine_config import configuration_of

    for each in trainings(project.settings).values():
        if each.asset not in assets or each.adopted:
            continue
        try:
            configuration_of(each, project.root, each.launch.nodes * each.launch.ranks_per_node)
        except ConfigError as error:
            yield f"{each.place}: {error}"


def _without_samples(wanted: Stages, dataset: Path) -> Iterator[str]:
    for each, stage in wanted:
        kinds = _or(stage.kinds)
        if not bucket_counts(dataset, each):
            remedy = _remedy(stage, f"add sources to {_setting(stage.kinds)}")
            yield f"stage '{stage.name}' has no {kinds} samples to train on: {remedy}"
        elif not bucket_counts(dataset, each, "held_out"):
            remedy = _remedy(stage, f"add sources to {_setting(stage.kinds)}, or raise dataset.held_out_share")
            yield f"stage '{stage.name}' has no held-out {kinds} samples to be judged by: {remedy}"


def _without_batches(wanted: Stages, dataset: Path) -> Iterator[str]:
    for each, stage in wanted:
        samples = bucket_counts(dataset, each)
        images = bucket_counts(dataset, each, kinds=IMAGES) if stage.images_behind else {}
        try:
            if stage.images_behind:
                require_images(stage.images_behind, samples, images)
            too_small(samples, batch_sizes(samples, largest(each.dataset, stage.kinds), stage.schedule), stage.schedule)
        except NoBatches as error:
            yield f"stage '{stage.name}': {error}"


def _unread_prompts(settings: Settings) -> Iterator[str]:
    encoder = settings.text_encoder
    for prompt in settings.evaluation.prompts:
        if not as_read(prompt, encoder).strip():
            yield f"evaluation.prompts: {encoder.weights} can read nothing of {prompt!r}: write it in its language"


def _remedy(stage: DenoiserStage, first: str) -> str:
    return f"{first}, or leave the stage out with `soraflow run --set stages.{stage.name}=null`"


def _or(kinds: Sequence[Kind]) -> str:
    return " or ".join(kinds)


def _setting(kinds: Sequence[Kind]) -> str:
    return " and ".join(SOURCES[kind] for kind in kinds)


def _raise(reasons: Collection[str] | Iterator[str]) -> None:
    if told := list(reasons):
        raise NotReady("; ".join(told))
