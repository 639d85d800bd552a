"""Adapters in a folder: `adapter_config.json` and safetensors, as peft lays them, under the released names of layers.

So peft's own `PeftModel.from_pretrained` lays them onto the published implementation, too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from models import released
from models.adapters.low_rank import NAME, LowRank, adapters_of, add_adapters, merge_adapters
from models.tensor_file import save_tensors

CONFIG_FILE, WEIGHTS_FILE = "adapter_config.json", "adapter_model.safetensors"
PREFIX = "base_model.model."
"""With which peft's files name what is adapted."""
OWN = "soraflow"
"""The key of the configuration that holds what peft has no word for."""


class AdapterError(ValueError):
    """A file that holds no adapters, or none that fit; the message says what would be right."""


@dataclass(frozen=True)
class Adapter:
    """What a folder holds: `tensors` under their names there."""

    settings: LowRank
    tensors: dict[str, Tensor]


def names_of(model: nn.Module) -> dict[str, str]:
    """Of a network with adapters: the key of each of their tensors in its state dict → its name in a file."""
    ours = {key: name for key, name in released.names_of(model).items() if ".lora_" in key}
    return {key: PREFIX + name.replace(f".{NAME}.", ".") for key, name in ours.items()}


def config_of(model: nn.Module) -> dict[str, object]:
    """The content of `adapter_config.json`: what peft reads, and beside it what the adapters are and of which base."""
    settings = adapters_of(model)
    assert settings, "it has no adapters"
    layers = sorted({name.removeprefix(PREFIX).partition(".lora_")[0] for name in names_of(model).values()})
    return {
        "peft_type": "LORA",
        "r": settings.rank,
        "lora_alpha": settings.alpha,
        "target_modules": layers,
        "lora_dropout": 0.0,
        "bias": "none",
        OWN: {**asdict(settings), "targets": list(settings.targets)},
    }


def save_adapter(model: nn.Module, folder: Path | str) -> None:
    """Write the adapters of a network, and nothing of the network."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    state = model.state_dict()
    tensors = {name: state[key].detach().cpu().contiguous() for key, name in names_of(model).items()}
    save_tensors(tensors, folder / WEIGHTS_FILE, metadata={"format": "pt"})
    (folder / CONFIG_FILE).write_text(json.dumps(config_of(model), indent=2) + "\n", encoding="utf-8")


def read_settings(folder: Path | str) -> LowRank:
    """What the adapters of a folder are; no tensor is read.

    Raises:
        AdapterError: the folder holds none, or none of soraflow's.
    """
    path = Path(folder) / CONFIG_FILE
    try:
        told = json.loads(path.read_text(encoding="utf-8"))[OWN]
        return LowRank(int(told["rank"]), float(told["alpha"]), tuple(told["targets"]), str(told["base"]))
    except FileNotFoundError:
        raise AdapterError(f"{folder} holds no adapters: there is no {CONFIG_FILE}") from None
    except (ValueError, KeyError, TypeError) as error:
        raise AdapterError(f"{path} does not say what soraflow writes of adapters (key '{OWN}'): {error!r}") from error


def read_adapter(folder: Path | str) -> Adapter:
    """The adapters of a folder. Raises AdapterError, also where a number of theirs is not finite."""
    settings, path = read_settings(folder), Path(folder) / WEIGHTS_FILE
    if not path.is_file():
        raise AdapterError(f"{folder} holds no adapters: there is no {WEIGHTS_FILE}")
    tensors = load_file(path)
    if bad := sorted(name for name, value in tensors.items() if not torch.isfinite(value).all()):
        raise AdapterError(f"{path}: not finite: {', '.join(bad)}")
    return Adapter(settings, tensors)


def fill(model: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Give the adapters of a network the values of a file, strictly; its own type and device stay.

    Raises AdapterError with all that is missing, left over or of another shape.
    """
    names, own = names_of(model), model.state_dict()
    wanted = {name: own[key].shape for key, name in names.items()}
    problems = [
        *(f"missing: {name}" for name in sorted(wanted.keys() - tensors.keys())),
        *(f"unexpected: {name}" for name in sorted(tensors.keys() - wanted.keys())),
        *(
            f"another shape: {name} is {list(value.shape)} instead of {list(wanted[name])}"
            for name, value in tensors.items()
            if name in wanted and value.shape != wanted[name]
        ),
    ]
    if problems:
        raise AdapterError(f"the adapters do not fit this {type(model).__name__}: {'; '.join(problems)}")
    model.load_state_dict({key: tensors[name] for key, name in names.items()}, strict=False)


def merge(model: nn.Module, adapter: Adapter, scale: float = 1.0) -> None:
    """Add `scale` times what an adapter adds to the weights of a network that has none, in place, and freeze it.

    Raises AdapterError where it does not fit; that it is of these weights is for the caller to see.
    """
    with torch.random.fork_rng(devices=[]):  # what is drawn for new adapters is replaced
        add_adapters(model, adapter.settings)
    fill(model, adapter.tensors)
    merge_adapters(model, scale)
