"""Networks from published configurations, and their weights from and to files."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from models.released.classes import CLASSES, RELEASED, class_of
from models.released.config import Config, ConfigError
from models.released.keys import spelled_out
from models.tensor_file import save_tensors
from models.video_denoiser import VideoDenoiser
from models.video_vae import VideoVAE

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "diffusion_pytorch_model.safetensors"
FILTER_TOLERANCE = 1e-3  # the filters of a half-precision file are rounded


class StateDictError(ValueError):
    """A state dict that does not fit; the message lists every missing, unexpected, mis-shaped or non-finite entry."""


def build(class_name: str, config: Config) -> nn.Module:
    """A network of a released class, randomly initialised, from its published configuration.

    Raises ConfigError for an unknown class or field, a configuration of another class, or a value that is not
    supported.
    """
    for released in RELEASED:
        if released.name == class_name:
            return released.build(config)
    raise ConfigError(f"class {class_name!r} is not one of: {', '.join(CLASSES)}")


def config_of(module: nn.Module) -> dict[str, object]:
    """The published configuration of a network, `_class_name` included; the inverse of `build`."""
    return class_of(module).describe(module)


def load(module: nn.Module, state_dict: Mapping[str, Tensor]) -> None:
    """Fill a network from released key names. Strict, in one error, with two exceptions.

    Wavelet filters may be absent. What a release keeps beside a v1.1 network is passed over: the losses of its
    autoencoder (`loss.*`), the unused embedding of no caption of its denoiser.

    Raises StateDictError.
    """
    released = class_of(module)
    names, constants = released.names(module), released.constants()
    given = {spelled_out(key): value for key, value in state_dict.items() if not key.startswith(released.unused)}
    own = module.state_dict()
    wanted = {theirs: own[ours].shape for ours, theirs in names.items()}
    problems = [
        *_listed("missing", wanted.keys() - given.keys()),
        *_listed("unexpected", given.keys() - wanted.keys() - constants.keys()),
        *_listed("another shape", _misshapen(given, wanted | {k: v.shape for k, v in constants.items()})),
        *_listed("not finite", (key for key, value in given.items() if not _finite(value))),
    ]
    if not problems:
        problems = _listed(
            "not the Haar filter", (k for k, v in constants.items() if k in given and _differ(given[k], v))
        )
    if problems:
        raise StateDictError(f"the state dict does not fit {type(module).__name__}: " + "; ".join(problems))
    assign = any(value.is_meta for value in own.values())
    module.load_state_dict({ours: given[theirs] for ours, theirs in names.items()}, assign=assign)


def names_of(module: nn.Module) -> dict[str, str]:
    """The released key of each entry of a network's state dict, in the order in which `dump` has them."""
    return class_of(module).names(module)


def constants_of(module: nn.Module) -> dict[str, Tensor]:
    """What the released state dict holds beside these: the same in every release of the class."""
    return class_of(module).constants()


def dump(module: nn.Module) -> dict[str, Tensor]:
    """The state dict of a network under its released key names, wavelet filters included."""
    own, released = module.state_dict(), class_of(module)
    entries = {theirs: own[ours] for ours, theirs in released.names(module).items()}
    like = next(iter(entries.values()))
    return entries | {key: value.to(like.device, like.dtype) for key, value in released.constants().items()}


def from_pretrained(folder: Path | str, dtype: torch.dtype = torch.float32) -> nn.Module:
    """The network of a folder with `config.json` and weights: safetensors, or a `.ckpt` or `.bin` of tensors.

    Weights become `dtype`, on the CPU, in evaluation mode. Raises FileNotFoundError, ConfigError or StateDictError.
    """
    config = read_config(folder)
    if "_class_name" not in config:
        raise ConfigError(f"{Path(folder) / CONFIG_FILE}: _class_name is missing; it is one of: {', '.join(CLASSES)}")
    with torch.device("meta"):
        module = build(config["_class_name"], config)
    try:
        load(module, read_weights(Path(folder)))
    except StateDictError as error:
        raise StateDictError(f"{folder}: {error}") from error
    return module.to(dtype).eval()


def vae_from_pretrained(folder: Path | str) -> VideoVAE:
    """The same of a folder that holds a VAE. Raises ValueError for another network."""
    model = from_pretrained(folder)
    if not isinstance(model, VideoVAE):
        raise ValueError(f"{folder} holds a {type(model).__name__}, which is no VAE")
    return model


def denoiser_from_pretrained(folder: Path | str) -> VideoDenoiser:
    """The same of a folder that holds a denoiser. Raises ValueError for another network."""
    model = from_pretrained(folder)
    if not isinstance(model, VideoDenoiser):
        raise ValueError(f"{folder} holds a {type(model).__name__}, which is no denoiser")
    return model


def save_pretrained(module: nn.Module, folder: Path | str, **notes: object) -> None:
    """Write `config.json` and safetensors, in the layout of diffusers.

    `notes` replace fields of the configuration that a forward pass does not see: `scale` and `shift` of a VAE's
    latents, `sample_size_*` of a v1.3 denoiser. Raises ConfigError for any other.
    """
    folder = Path(folder)
    allowed = class_of(module).unseen
    if unknown := sorted(set(notes) - allowed):
        raise ConfigError(f"{', '.join(unknown)}: only {', '.join(sorted(allowed))} may be noted beside the weights")
    config = config_of(module) | notes
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {key: value.detach().cpu().contiguous() for key, value in dump(module).items()}
    save_tensors(tensors, folder / WEIGHTS_FILE, metadata={"format": "pt"})
    (folder / CONFIG_FILE).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def read_config(folder: Path | str) -> Config:
    """The `config.json` of a folder, with the fields that a network does not keep, such as a VAE's `scale`."""
    config: Config = json.loads((Path(folder) / CONFIG_FILE).read_text(encoding="utf-8"))
    return config


def read_weights(folder: Path) -> dict[str, Tensor]:
    """Every tensor of a folder's weights, in one dictionary of released names.

    All `.safetensors` together (large models come in parts), otherwise the one `.ckpt` or `.bin`.
    """
    if parts := sorted(folder.glob("*.safetensors")):
        return {key: value for part in parts for key, value in load_file(part).items()}
    files = sorted([*folder.glob("*.ckpt"), *folder.glob("*.bin")])
    if len(files) != 1:
        found = ", ".join(file.name for file in files) or "none"
        raise FileNotFoundError(f"{folder}: needs *.safetensors or exactly one .ckpt or .bin; found: {found}")
    return unwrapped(torch.load(files[0], map_location="cpu", weights_only=True))


def unwrapped(checkpoint: Mapping[str, object]) -> dict[str, Tensor]:
    """The network inside a training checkpoint: its averaged weights when it has them, else the generator's.

    Raises StateDictError for anything but tensors.
    """
    inner = _within(checkpoint, "ema_state_dict") or _within(checkpoint, "state_dict") or checkpoint
    inner = _within(inner, "gen_model") or inner
    if strange := sorted(key for key, value in inner.items() if not isinstance(value, Tensor)):
        raise StateDictError(f"not a tensor: {', '.join(strange)}")
    return {key.removeprefix("module."): value for key, value in inner.items() if isinstance(value, Tensor)}


def _within(checkpoint: Mapping[str, object], name: str) -> Mapping[str, object] | None:
    inner = checkpoint.get(name)
    return inner if isinstance(inner, Mapping) else None


def _misshapen(given: Mapping[str, Tensor], wanted: Mapping[str, torch.Size]) -> list[str]:
    return [
        f"{key} is {list(value.shape)} instead of {list(wanted[key])}"
        for key, value in given.items()
        if key in wanted and value.shape != wanted[key]
    ]


def _finite(value: Tensor) -> bool:
    return value.is_meta or not value.is_floating_point() or bool(torch.isfinite(value).all())


def _differ(value: Tensor, expected: Tensor) -> bool:
    return not value.is_meta and not torch.allclose(value.float().cpu(), expected, atol=FILTER_TOLERANCE)


def _listed(problem: str, keys: Iterable[str]) -> list[str]:
    found = sorted(keys)
    return [f"{problem}: {', '.join(found)}"] if found else []
