"""Weights in slices over the ranks: each holds ⌈N/ranks⌉ numbers of every tensor of N, in float32, side by side.

It is how DeepSpeed's ZeRO-3 partitions parameters, so that what a rank holds of them there is its slice.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Sequence

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn import functional as F

from ops.training.launching.ranks import Ranks


class Slicing:
    """How the parameters of models of one shape lie in slices, and how they come together again."""

    def __init__(self, model: nn.Module, ranks: Ranks) -> None:
        """`model` is whole yet. Its buffers are copied; `empty` keeps those, and parameters without content."""
        self._ranks = ranks
        self._device = next(model.parameters()).device
        emptied: dict[int, nn.Parameter] = {
            id(parameter): nn.Parameter(_on_meta(parameter), requires_grad=False) for parameter in model.parameters()
        }
        self.empty = copy.deepcopy(model, emptied).float().eval()

    @torch.no_grad()
    def of(self, model: nn.Module) -> list[Tensor]:
        """This rank's slice of each parameter; views of them where they are float32 already."""
        return [self._slice(parameter) for parameter in model.parameters()]

    def _slice(self, parameter: nn.Parameter) -> Tensor:
        if hasattr(parameter, "ds_id"):  # ZeRO-3 has taken it apart
            return _held_by_zero3(parameter)
        flat, each = parameter.detach().flatten(), -(-parameter.numel() // self._ranks.world_size)
        held = flat[self._ranks.rank * each : (self._ranks.rank + 1) * each].float()
        return held if len(held) == each else F.pad(held, [0, each - len(held)])

    @torch.no_grad()
    def joined(self, slices: Sequence[Tensor]) -> nn.Module:
        """The model whole on every rank, in evaluation mode, of everybody's slices; every rank calls this alike.

        A single rank gets views of its slices.
        """
        module = copy.deepcopy(self.empty)
        module.load_state_dict(dict(self._parameters(slices)), strict=False, assign=True)
        return module

    @torch.no_grad()
    def entries(self, slices: Sequence[Tensor]) -> Iterator[tuple[str, Tensor]]:
        """The state dict of the same model, a tensor at a time, each whole on every rank; every rank takes all alike.

        Who keeps none of them holds no more than the largest.
        """
        parameters = {name for name, _ in self.empty.named_parameters()}
        yield from self._parameters(slices)
        yield from ((name, buffer) for name, buffer in self.empty.state_dict().items() if name not in parameters)

    def _parameters(self, slices: Sequence[Tensor]) -> Iterator[tuple[str, Tensor]]:
        for (name, parameter), held in zip(self.empty.named_parameters(), slices, strict=True):
            yield name, self._whole(held, parameter.shape)

    def filled(self, weights: nn.Module) -> nn.Module:
        """A model of this shape with the weights and buffers of another; RuntimeError where they do not fit."""
        module = copy.deepcopy(self.empty)
        module.load_state_dict(weights.state_dict(), strict=True, assign=True)
        return module

    def _whole(self, held: Tensor, shape: torch.Size) -> Tensor:
        held = held.to(self._device)
        if self._ranks.world_size > 1:
            everybodys = held.new_empty(self._ranks.world_size * len(held))
            dist.all_gather_single(everybodys, held)
            held = everybodys
        return held[: math.prod(shape)].view(shape)


def _on_meta(parameter: nn.Parameter) -> Tensor:
    return torch.empty(parameter.shape, dtype=torch.float32, device="meta")


def _held_by_zero3(parameter: nn.Parameter) -> Tensor:
    """From the optimizer's float32 weights, where it has some of them: a frozen parameter it does not know."""
    from deepspeed.utils import safe_get_local_fp32_param

    held: Tensor | None = safe_get_local_fp32_param(parameter)
    partition: Tensor = getattr(parameter, "ds_tensor")  # noqa: B009 (torch's parameters have none)
    return (partition if held is None else held).detach().float()
