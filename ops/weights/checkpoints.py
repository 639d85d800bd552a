"""Published checkpoints: tensors out of a file, and a network that takes all of them."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from torch import nn

    from ops.weights.surroundings import Surroundings

M = TypeVar("M", bound="nn.Module")
Load = Callable[[Mapping[str, object]], M]
"""What makes a network of a published state dict, or raises UnfitWeights."""
INSIDE = ("state_dict", "model", "module")
"""Under which of these names a training's checkpoint has its network's tensors, if not by themselves."""


class WrongCheckpoint(ValueError):
    """A file that is not the published checkpoint; the message names it and what is wrong with it."""


def tensors_of(checkpoint: Path, advice: str) -> dict[str, object]:
    """The state dict in a file, of which nothing but tensors is read: no code in it is run.

    Raises:
        WrongCheckpoint: it holds something else; `advice` says what to do about it.
    """
    import torch

    try:
        found: object = torch.load(checkpoint, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise WrongCheckpoint(f"{checkpoint} is no file of tensors alone: {error}; {advice}") from error
    for name in INSIDE:
        if isinstance(found, dict) and isinstance(found.get(name), dict):
            found = found[name]
            break
    if not isinstance(found, dict):
        raise WrongCheckpoint(f"{checkpoint} holds a {type(found).__name__}, not a state dict; {advice}")
    return found


def scripted_tensors_of(checkpoint: Path, advice: str) -> dict[str, object]:
    """The same of a TorchScript archive, as OpenAI published CLIP; what is scripted in it is not called.

    Raises:
        WrongCheckpoint: it is no such archive.
    """
    import torch

    try:
        archive = torch.jit.load(str(checkpoint), map_location="cpu")
    except (RuntimeError, ValueError) as error:
        raise WrongCheckpoint(f"{checkpoint} is no TorchScript archive: {error}; {advice}") from error
    return dict(archive.state_dict())


def fitted(load: Load[M], checkpoint: Path, advice: str, scripted: bool = False) -> M:
    """The network of a file, which takes all of its tensors.

    Raises:
        WrongCheckpoint: the file is another network's, or no checkpoint.
    """
    from models.published import UnfitWeights

    published = scripted_tensors_of(checkpoint, advice) if scripted else tensors_of(checkpoint, advice)
    try:
        return load(published)
    except UnfitWeights as error:
        raise WrongCheckpoint(f"{checkpoint} is {error}; {advice}") from None


def network(project: Surroundings, name: str, load: Load[M], scripted: bool = False) -> M:
    """The network of an entry with one checkpoint, frozen, on this process's accelerator. Metrics that ask for the same
    one share it.

    Raises:
        MissingWeights, WrongWeights: as `ensure`.
        WrongCheckpoint: the file is another network's.
    """
    from ops import weights
    from ops.runtime.device import accelerator

    wanted = weights.entry(name)
    checkpoint = weights.ensure(project, name) / wanted.files[0].path
    device = str(accelerator(project.accelerator))
    advice = f"replace it by that of {wanted.where}"
    found: M = _loaded(load, checkpoint, checkpoint.stat().st_mtime_ns, device, advice, scripted)
    return found


@cache
def _loaded(load: Load[M], checkpoint: Path, changed: int, device: str, advice: str, scripted: bool) -> M:
    return fitted(load, checkpoint, advice, scripted).to(device).requires_grad_(False)
