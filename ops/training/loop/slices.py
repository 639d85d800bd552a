"""Weights in slices over the ranks: each holds ⌈N/ranks⌉ numbers of every tensor of N, in float32, side by side.

It is how DeepSpeed's ZeRO-3 partitions parameters, so that what a rank holds of them there is its slice. Of a model
that is frozen in part, only what is trained is sliced.
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
        """`model` is whole yet, and its frozen parameters are float32. Its buffers are copied; `empty` keeps those, the
        trained parameters without content, and the frozen ones, sharing their memory with the model as it is now."""
        self._ranks = ranks
        self._device = next(model.parameters()).device
        self._trained = frozenset(name for name, parameter in model.named_parameters() if parameter.requires_grad)
        emptied: dict[int, nn.Parameter] = {
            id(parameter): nn.Parameter(
                _on_meta(parameter) if parameter.requires_grad else parameter.detach(), requires_grad=False
            )
            for parameter in model.parameters()
        }
        self.empty = copy.deepcopy(model, emptied).float().eval()

    @property
    def numbers(self) -> int:
        """How many are trained, over all ranks."""
        return sum(parameter.numel() for _, parameter in self._of(self.empty))

    @torch.no_grad()
    def of(self, model: nn.Module) -> list[Tensor]:
        """This rank's slice of each trained parameter; views of them where they are float32 already."""
        return [self._slice(parameter) for _, parameter in self._of(model)]

    def _of(self, model: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
        """The parameters that are trained, whatever a model of this shape says of its own."""
        return ((name, parameter) for name, parameter in model.named_parameters() if name in self._trained)

    def _slice(self, parameter: nn.Parameter) -> Tensor:
        if hasattr(parameter, "ds_id"):  # ZeRO-3 has taken it apart
            return _held_by_zero3(parameter)
        flat, each = parameter.detach().flatten(), -(-parameter.numel() // self._ranks.world_size)
        held = flat[self._ranks.rank * each : (self._ranks.rank + 1) * each].float()
        return held if len(held) == each else F.pad(held, [0, each - len(held)])

    @torch.no_grad()
    def joined(self, slices: Sequence[Tensor]) -> nn.Module:
        """The model whole on every rank, in evaluation mode, of everybody's slices; every rank calls this alike.

        A single rank gets views of its slices. Frozen parameters are those of `empty`.
        """
        module = self._like_empty()
        module.load_state_dict(dict(self._parameters(slices)), strict=False, assign=True)
        return module

    @torch.no_grad()
    def entries(self, slices: Sequence[Tensor]) -> Iterator[tuple[str, Tensor]]:
        """What is trained of the state dict of the same model, and its buffers, a tensor at a time, each whole on every
        rank; every rank takes all alike.

        Who keeps none of them holds no more than the largest.
        """
        parameters = {name for name, _ in self.empty.named_parameters()}
        yield from self._parameters(slices)
        yield from ((name, buffer) for name, buffer in self.empty.state_dict().items() if name not in parameters)

    def _parameters(self, slices: Sequence[Tensor]) -> Iterator[tuple[str, Tensor]]:
        for (name, parameter), held in zip(self._of(self.empty), slices, strict=True):
            yield name, self._whole(held, parameter.shape)

    def filled(self, weights: nn.Module) -> nn.Module:
        """A model of this shape with the weights and buffers of another; RuntimeError where they do not fit."""
        module = self._like_empty()
        module.load_state_dict(weights.state_dict(), strict=True, assign=True)
        return module

    def _like_empty(self) -> nn.Module:
        """A module of its own, with the parameters of `empty` in it, which are there to be replaced."""
        return copy.deepcopy(self.empty, {id(parameter): parameter for parameter in self.empty.parameters()})

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
    """From the optimizer's float32 weights."""
    from deepspeed.utils import safe_get_local_fp32_param

    held: Tensor = safe_get_local_fp32_param(parameter)
    return held.detach().float()
