"""What would make a training fit: changes of how it is launched, which change nothing of what it learns."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from ops.config import ConfigError, DenoiserStage, Stage
from ops.training.planning.hardware import Hardware
from ops.training.planning.launched import Buckets, Launched

Change = Callable[[Launched], Launched]
FILES = ("zero2", "zero3", "zero2_offload", "zero3_offload")


def remedy(launched: Launched, buckets: Buckets, hardware: Hardware) -> str | None:
    """The first change with which it fits, alone or after those before it; None where not even all of them help."""
    all_before, told = launched, list[str]()
    for setting, change in _changes(launched):
        try:
            for start, names in ((launched, [setting]), (all_before, [*told, setting])):
                changed = change(start)
                if hardware.fits(changed.memory(buckets), changed.training.launch.ranks_per_node):
                    return " and ".join(names)
        except ConfigError:  # this does not go with the training
            continue
        all_before, told = changed, [*told, setting]
    return None


def _changes(launched: Launched) -> Iterator[tuple[str, Change]]:
    """Settings, as `soraflow run --set` takes them, from what costs least to what costs most."""
    section, launch = launched.training.section, launched.training.launch
    place = launched.training.place
    if isinstance(section, DenoiserStage) and not section.gradient_checkpointing:
        yield f"{place}.gradient_checkpointing=true", _recomputing(section)
    now = launched.config.accumulation
    for count in (2 * now, 4 * now, 8 * now):
        yield f"gradient_accumulation_steps {count} in {launch.deepspeed}", _accumulating(count)
    for file in (f"configs/deepspeed/{name}.json" for name in FILES):
        if file != launch.deepspeed:
            yield f"{place}.launch.deepspeed={file}", _launching(deepspeed=file)
    if isinstance(section, DenoiserStage) and launched.project.settings.denoiser.architecture == "skiparse":
        heads = launched.project.settings.denoiser.model.heads
        for count in (2, 4, 8):
            if heads % count == 0 and launch.ranks_per_node % count == 0 and count > launch.sequence_parallel:
                yield f"{place}.launch.sequence_parallel={count}", _launching(sequence_parallel=count)


def _recomputing(section: Stage) -> Change:
    changed = section.model_copy(update={"gradient_checkpointing": True})
    return lambda each: replace(each, training=replace(each.training, section=changed))


def _accumulating(count: int) -> Change:
    return lambda each: replace(each, accumulation=count)


def _launching(**update: object) -> Change:
    def change(each: Launched) -> Launched:
        launch = each.training.launch.model_copy(update=update)
        return replace(each, training=replace(each.training, launch=launch))

    return change
