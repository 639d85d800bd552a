"""What would end a training of the recipe, or show it less than it asks for, told before the first one begins.

A stage may come days after the VAE. That it will have no samples, cannot be trained or cannot spread its batches over
the ranks is known as soon as the training set lies there, and some of it before anything does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from ops.catalogue import Kind
from ops.config import ConfigError, Settings, TextToVideo
from ops.data.columns import Split
from ops.data.text_encoder import as_read
from ops.runtime import tables
from ops.runtime.project import Project
from ops.training.data.batch_sizes import NoBatches, batch_sizes, largest, too_small
from ops.training.trainings import Training, stages, trainings

SOURCES: dict[Kind, str] = {"video": "sources.videos", "image": "sources.images"}
TABLES: dict[Kind, str] = {"video": "raw_videos", "image": "raw_images"}


class NotReady(ConfigError):
    """Trainings of the recipe cannot come to their end; one line for each reason, with its remedy."""


def require_trainable(settings: Settings, assets: Collection[str]) -> None:
    """Of a run that is to make these assets: that all it trains can be trained.

    Raises:
        NotReady: naming each architecture that cannot, and what helps.
    """
    if any(asset in assets for asset in trainings(settings)):
        _raise(settings.untrainable())


def require_sources(settings: Settings, assets: Collection[str]) -> None:
    """Of a run that is to make these assets from the source files on: that its stages have sources to train on.

    Raises:
        NotReady: naming each stage, what it lacks, and the setting.
    """
    given = {"video": settings.sources.videos, "image": settings.sources.images}
    lacking = {kind for kind, table in TABLES.items() if table in assets and not given[kind]}
    _raise(
        f"stage '{stage.name}' will have no {_or(stage.kinds)} samples: {_setting(stage.kinds)} is null; "
        f"{_remedy(stage, 'name a folder there')}"
        for _, stage in _among(settings, assets)
        if lacking.issuperset(stage.kinds)
    )


def require_ready(project: Project, dataset: Path, assets: Collection[str]) -> list[str]:
    """Of the training set in this folder: that every training among these assets can be done on it. Returns what is no
    obstacle, but less than a stage asks for.

    Raises:
        NotReady: naming each training, what stands in its way, and what helps.
    """
    settings = project.settings
    wanted, buckets = _among(settings, assets), _buckets(dataset)
    obstacles = [
        *_unsplittable(project, assets),
        *_without_samples(wanted, buckets),
        *_without_batches(wanted, buckets),
    ]
    _raise([*obstacles, *(_unread_prompts(settings) if "samples" in assets else ())])
    return [
        f"stage '{each.name}' will see no {kind} samples: the training set has none"
        for each, stage in wanted
        for kind in stage.kinds
        if not _count(buckets, each, kind, "train")
    ]


Stages = Sequence[tuple[Training, TextToVideo]]
Buckets = Counter[tuple[str, Kind, Split, str]]
"""How many samples of each cut, kind and split are in which bucket."""


def _among(settings: Settings, assets: Collection[str]) -> Stages:
    found = [each for each in stages(settings) if each.asset in assets]
    return [(each, each.section) for each in found if isinstance(each.section, TextToVideo)]


def _buckets(dataset: Path) -> Buckets:
    rows = tables.each(dataset / "buckets.parquet", ("cut", "kind", "split", "bucket", "samples"))
    return Counter({(row["cut"], row["kind"], row["split"], row["bucket"]): row["samples"] for row in rows})


def _count(buckets: Buckets, training: Training, kind: Kind, split: Split) -> int:
    wanted = (training.cut, kind, split)
    return sum(count for (*of, _), count in buckets.items() if tuple(of) == wanted)


def _unsplittable(project: Project, assets: Collection[str]) -> Iterator[str]:
    from ops.training.loop.engine import configuration_of

    for each in trainings(project.settings).values():
        if each.asset not in assets or each.adopted:
            continue
        try:
            configuration_of(each, project.root, each.launch.nodes * each.launch.ranks_per_node)
        except ConfigError as error:
            named = "vae" if each.kind == "vae" else f"stage '{each.name}'"
            yield f"{named}: {error}"


def _without_samples(wanted: Stages, buckets: Buckets) -> Iterator[str]:
    for each, stage in wanted:
        kinds = _or(stage.kinds)
        if not any(_count(buckets, each, kind, "train") for kind in stage.kinds):
            remedy = _remedy(stage, f"add sources to {_setting(stage.kinds)}")
            yield f"stage '{stage.name}' has no {kinds} samples to train on: {remedy}"
        elif not any(_count(buckets, each, kind, "held_out") for kind in stage.kinds):
            remedy = _remedy(stage, f"add sources to {_setting(stage.kinds)}, or raise dataset.held_out_share")
            yield f"stage '{stage.name}' has no held-out {kinds} samples to be judged by: {remedy}"


def _without_batches(wanted: Stages, buckets: Buckets) -> Iterator[str]:
    for each, stage in wanted:
        samples: Counter[str] = Counter()
        for (cut, kind, split, bucket), count in buckets.items():
            if (cut, split) == (each.cut, "train") and kind in stage.kinds:
                samples[bucket] += count
        try:
            sizes = batch_sizes(samples, largest(each.dataset, stage.kinds), stage.schedule)
            too_small(samples, sizes, stage.schedule)
        except NoBatches as error:
            yield f"stage '{stage.name}': {error}"


def _unread_prompts(settings: Settings) -> Iterator[str]:
    encoder = settings.text_encoder
    for prompt in settings.evaluation.prompts:
        if not as_read(prompt, encoder).strip():
            yield f"evaluation.prompts: {encoder.weights} can read nothing of {prompt!r}: write it in its language"


def _remedy(stage: TextToVideo, first: str) -> str:
    return f"{first}, or leave the stage out with `soraflow run --set stages.{stage.name}=null`"


def _or(kinds: Sequence[Kind]) -> str:
    return " or ".join(kinds)


def _setting(kinds: Sequence[Kind]) -> str:
    return " and ".join(SOURCES[kind] for kind in kinds)


def _raise(reasons: Collection[str] | Iterator[str]) -> None:
    if told := list(reasons):
        raise NotReady("; ".join(told))
