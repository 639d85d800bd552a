"""Released models, in and out: `config.json` and state dicts of Open-Sora Plan v1.1 and v1.3, with published names.

    model = from_pretrained(folder)          # or build(class_name, config), then load(model, state_dict)
    save_pretrained(model, other_folder)     # the reference implementation reads it

Our networks have names of their own; this package is where the two sets meet.
"""

from models.released.classes import CLASSES
from models.released.config import ConfigError
from models.released.pretrained import (
    CONFIG_FILE,
    WEIGHTS_FILE,
    StateDictError,
    build,
    config_of,
    constants_of,
    denoiser_from_pretrained,
    dump,
    from_pretrained,
    load,
    names_of,
    read_config,
    read_weights,
    save_pretrained,
    unwrapped,
    vae_from_pretrained,
)

__all__ = [
    "CLASSES",
    "CONFIG_FILE",
    "WEIGHTS_FILE",
    "ConfigError",
    "StateDictError",
    "build",
    "config_of",
    "constants_of",
    "denoiser_from_pretrained",
    "dump",
    "from_pretrained",
    "load",
    "names_of",
    "read_config",
    "read_weights",
    "save_pretrained",
    "unwrapped",
    "vae_from_pretrained",
]
