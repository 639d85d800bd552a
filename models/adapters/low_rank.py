"""Low-rank adapters of linear layers (LoRA, Hu et al. 2021, arXiv 2106.09685, eq. 3), laid into a network by peft.

Beside each weight W, which is frozen, stands (alpha / rank) · B·A with A [rank, in] and B [out, rank]. B begins as
zero, so that a network with untrained adapters is the network without.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

TARGETS: dict[str, tuple[str, ...]] = {
    "attention": ("self_attention", "cross_attention"),
    "self_attention": ("self_attention",),
    "cross_attention": ("cross_attention",),
    "feed_forward": ("feed_forward",),
}
"""What may be adapted, by the parts of a block whose linear layers that means: projections of queries, keys, values and
of what attention gives, or both layers of the feed-forward part."""
NAME = "default"
"""Of the adapter, within peft's layers; a network has one."""


@dataclass(frozen=True)
class LowRank:
    """What adapters are, and of which weights.

    `alpha` / `rank` scales what they add; `targets` are keys of TARGETS; `base` is a hash of the weights that they were
    trained on.

    Raises ValueError, naming the field, for a rank below 1 or targets that are none.
    """

    rank: int
    alpha: float
    targets: tuple[str, ...]
    base: str

    def __post_init__(self) -> None:
        if self.rank < 1:
            raise ValueError(f"rank is {self.rank}, but must be at least 1")
        if not self.targets or (unknown := sorted(set(self.targets) - set(TARGETS))):
            found = unknown if self.targets else "empty"
            raise ValueError(f"targets: {found}; they are among: {', '.join(TARGETS)}")


def layers_of(model: nn.Module, targets: Sequence[str]) -> list[str]:
    """The linear layers of a denoiser's blocks that targets mean, by name."""
    parts = {part for target in targets for part in TARGETS[target]}
    linear = (name for name, module in model.named_modules() if isinstance(module, nn.Linear))
    return [name for name in linear if parts & set(name.split("."))]


def add_adapters(model: nn.Module, settings: LowRank) -> None:
    """Freeze a denoiser and lay untrained adapters beside its layers, in place; they alone are trained.

    A is drawn from torch's generator. Modules keep their class; an adapted layer is peft's, around the one before.
    """
    from peft import LoraConfig, inject_adapter_in_model

    model.requires_grad_(False)
    layers = layers_of(model, settings.targets)
    config = LoraConfig(r=settings.rank, lora_alpha=settings.alpha, target_modules=layers, lora_dropout=0.0)  # type: ignore[arg-type]
    inject_adapter_in_model(config, model, NAME)
    setattr(model, _KEPT, settings)


_KEPT = "low_rank"


def adapters_of(model: nn.Module) -> LowRank | None:
    """What the adapters of a network are; None for one without."""
    found: LowRank | None = getattr(model, _KEPT, None)
    return found


def merge_adapters(model: nn.Module, scale: float = 1.0) -> None:
    """Add `scale` times what the adapters add to the weights, in place, and take the adapters out: a network as before
    they were laid in. 0 takes them out and changes nothing."""
    for name, layer in _adapted(model):
        if scale:
            layer.set_scale(NAME, scale)
            layer.merge()
        model.set_submodule(name, layer.get_base_layer())
    for kept in (_KEPT, "peft_config"):
        delattr(model, kept)


def _adapted(model: nn.Module) -> Iterator[tuple[str, Any]]:
    from peft.tuners.lora import LoraLayer

    yield from [(name, module) for name, module in model.named_modules() if isinstance(module, LoraLayer)]
