"""Low-rank adapters: what is trained in the place of a denoiser, kept beside it in a small file, and merged into it."""

from models.adapters.adapter_file import (
    CONFIG_FILE,
    WEIGHTS_FILE,
    Adapter,
    AdapterError,
    config_of,
    fill,
    merge,
    names_of,
    read_adapter,
    read_settings,
    save_adapter,
)
from models.adapters.low_rank import TARGETS, LowRank, adapters_of, add_adapters, layers_of, merge_adapters

__all__ = [
    "CONFIG_FILE",
    "TARGETS",
    "WEIGHTS_FILE",
    "Adapter",
    "AdapterError",
    "LowRank",
    "adapters_of",
    "add_adapters",
    "config_of",
    "fill",
    "layers_of",
    "merge",
    "merge_adapters",
    "names_of",
    "read_adapter",
    "read_settings",
    "save_adapter",
]
