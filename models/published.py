"""Loading a published state dict strictly: everything that does not fit is listed in one error."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from torch import Tensor, nn


class UnfitWeights(ValueError):
    """A state dict that is not the network's; the message lists what is missing, unknown and of another shape."""


def load_published(module: nn.Module, published: Mapping[str, object], of: str, unused: Iterable[str] = ()) -> None:
    """Fill `module` from a state dict under its own names: all of it, and nothing else.

    Beginnings of names in `unused` are what the publisher keeps beside the network. How many batches a normalisation
    has seen (`num_batches_tracked`) may be there or not: no answer depends on it. `of` names the network in errors.

    Raises:
        UnfitWeights: an entry is missing, unknown or of another shape; nothing is loaded then.
    """
    ours, beginnings = module.state_dict(), tuple(unused)
    theirs = {name: value for name, value in published.items() if not (_counted(name) or name.startswith(beginnings))}
    wanted = {name for name in ours if not _counted(name)}
    misfits = (_misfit(name, value, ours) for name, value in theirs.items() if name in ours)
    problems = [
        *_listed("missing", wanted - theirs.keys()),
        *_listed("unknown", theirs.keys() - wanted),
        *_listed("of another shape", filter(None, misfits)),
    ]
    if problems:
        raise UnfitWeights(f"not {of}: {'; '.join(problems)}")
    counters = {name: value for name, value in ours.items() if _counted(name)}
    module.load_state_dict({**counters, **theirs})


def renamed(name: str, parts: Iterable[tuple[str, str]]) -> str:
    """`name` with each first of a pair replaced by the second, one pair after the other."""
    for theirs, ours in parts:
        name = name.replace(theirs, ours)
    return name


def _counted(name: str) -> bool:
    return name.endswith("num_batches_tracked")


def _listed(what: str, found: Iterable[str]) -> list[str]:
    names = sorted(found)
    return [f"{len(names)} {what}: {', '.join(names)}"] if names else []


def _misfit(name: str, value: object, ours: Mapping[str, Tensor]) -> str:
    """Empty if the entry fits."""
    wanted = tuple(ours[name].shape)
    found = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
    return "" if found == wanted else f"{name} is {found}, not {wanted}"
