"""What ranks tell each other, each in one call that every rank makes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from models.dit.sequence import ALONE, SequenceGroup
from ops.runtime.device import widest_float

T = TypeVar("T")


class Board(Protocol):
    """Where ranks leave notes for each other by key. Unlike all else here it has nobody wait, and any thread may use it
    at any point of a step. It is the store through which the ranks have found each other."""

    def set(self, key: str, value: str) -> None: ...

    def get(self, key: str) -> bytes: ...

    def check(self, keys: list[str]) -> bool: ...


def board() -> Board:
    found: Board = dist.distributed_c10d._get_default_store()
    return found


def sequence_group(size: int) -> SequenceGroup:
    """The ranks that compute a video together with this one: so many, side by side. Every rank calls this."""
    if size == 1:
        return ALONE
    own, _ = dist.new_subgroups(size)
    return SequenceGroup.of(own)


def mean_over_ranks(figures: Mapping[str, Tensor], device: torch.device) -> dict[str, float]:
    """The mean of each figure over ranks; NaN anywhere gives NaN everywhere."""
    values = torch.stack([figure.detach().to(device, widest_float(device)) for figure in figures.values()])
    dist.all_reduce(values)
    return dict(zip(figures, (values / dist.get_world_size()).tolist(), strict=True))


def by_rank(figures: Mapping[str, Tensor], device: torch.device) -> dict[str, list[float]]:
    """Each figure of every rank, in the order of ranks, in one message."""
    own = torch.stack([figure.detach().to(device, widest_float(device)) for figure in figures.values()])
    everyone = [torch.empty_like(own) for _ in range(dist.get_world_size())]
    dist.all_gather(everyone, own)
    return dict(zip(figures, torch.stack(everyone, dim=1).tolist(), strict=True))


def mean_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Replace each gradient by its mean over ranks, in one message."""
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    average(gradients)


def average(tensors: Sequence[Tensor]) -> None:
    """Replace each tensor by its mean over ranks, in place. A process that has joined none is alone."""
    if not dist.is_initialized() or dist.get_world_size() == 1:
        return
    flat = torch.cat([tensor.flatten() for tensor in tensors])
    dist.all_reduce(flat)
    flat /= dist.get_world_size()
    for tensor, mean in zip(tensors, torch.split(flat, [tensor.numel() for tensor in tensors]), strict=True):
        tensor.copy_(mean.view_as(tensor))


def gathered(items: Sequence[T]) -> list[T]:
    """The items of all ranks, in the order of ranks."""
    everyone: list[list[T]] = [[] for _ in range(dist.get_world_size())]
    dist.all_gather_object(everyone, list(items))
    return [item for items_of_rank in everyone for item in items_of_rank]


def anywhere(found: Mapping[str, str], device: torch.device) -> dict[str, str]:
    """What any rank has found, on every rank. As long as nobody has anything it costs one number."""
    count = torch.tensor(float(len(found)), device=device)
    dist.all_reduce(count)
    return dict(gathered(list(found.items()))) if count.item() else {}


def from_first(value: T) -> T:
    """The first rank's value, on every rank."""
    box = [value]
    dist.broadcast_object_list(box, src=0)
    return box[0]
