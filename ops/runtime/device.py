"""Which accelerator computes: what differs between `cuda`, `npu` and `cpu` is asked for here. What Ascend alone needs
stands in `models/ascend.py`."""

from __future__ import annotations

import os
import random
import time
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal, get_args

from models import ascend

if TYPE_CHECKING:
    import psutil
    import torch

Accelerator = Literal["cpu", "cuda", "npu"]
DecodingDevice = Literal["cuda", "vaapi", "qsv", "videotoolbox", "d3d11va"]
"""FFmpeg's names of what may decode video, in the order in which they are tried."""
DECODING_DEVICES: tuple[DecodingDevice, ...] = get_args(DecodingDevice)


class NoAccelerator(RuntimeError):
    """The accelerator asked for is not on this machine."""


def accelerator(name: Accelerator | None = None) -> torch.device:
    """The device of this process: `name`, or the best one here; with several, the one of LOCAL_RANK.

    Raises:
        NoAccelerator: when `name` is not on this machine.
    """
    import torch

    name = name or available()[0]
    if name not in available():
        raise NoAccelerator(
            f"launch.accelerator is '{name}', but this machine offers: {', '.join(available())}; "
            f"override it with launch.accelerator={available()[0]}"
        )
    if name == "cpu":
        return torch.device("cpu")
    if name == ascend.KIND:
        ascend.prepare()
    return torch.device(name, int(os.environ.get("LOCAL_RANK", "0")))


@cache
def available() -> tuple[Accelerator, ...]:
    """Accelerators of this machine, the preferred first; `cpu` is always the last."""
    found = [name for name in get_args(Accelerator) if name != "cpu" and count(name)]
    return (*found, "cpu")


def accelerator_environment(name: Accelerator) -> dict[str, str]:
    """The variables by which DeepSpeed and torch learn the accelerator before they are imported."""
    environment = {
        "DS_ACCELERATOR": name,
        # With torch-npu installed and no Ascend driver, plain `import torch` raises unless this is off.
        "TORCH_DEVICE_BACKEND_AUTOLOAD": str(int(name == ascend.KIND)),
    }
    if name == ascend.KIND:
        environment |= {key: os.environ.get(key, value) for key, value in ascend.ENVIRONMENT.items()}
    return environment


def widest_float(device: torch.device) -> torch.dtype:
    """What sums over many ranks are held in."""
    import torch

    return ascend.widest_float() if device.type == ascend.KIND else torch.float64


def count(name: Accelerator) -> int:
    """How many devices of this kind the machine shows."""
    import torch

    if name == "cpu":
        return 1
    if name == ascend.KIND:
        if find_spec("torch_npu") is None:
            return 0
        import torch_npu  # noqa: F401  registers torch.npu
    module = getattr(torch, name)
    return int(module.device_count()) if module.is_available() else 0


def seed_everything(seed: int) -> None:
    """Seed every generator that a library might draw from without being handed one."""
    import numpy
    import torch

    random.seed(seed)
    numpy.random.seed(seed % 2**32)
    torch.manual_seed(seed)  # seeds all accelerators, too


def cores() -> int:
    """CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def busy_seconds(device: torch.device, started: float) -> float:
    """Seconds of wall time since `started` (`time.perf_counter`), with all work that was queued on the device done;
    0.0 for the CPU."""
    import torch

    if device.type == "cpu":
        return 0.0
    getattr(torch, device.type).synchronize(device)
    return time.perf_counter() - started


def memory_here(name: Accelerator) -> float | None:
    """GiB of one accelerator of this machine, or, for the CPU, of the machine; None where there is none of the kind."""
    import torch

    from ops.runtime.memory import machine_gib

    if name == "cpu":
        return machine_gib()
    if name not in available():
        return None
    return float(getattr(torch, name).get_device_properties(0).total_memory) / 2**30


def free_bytes(device: torch.device) -> int:
    """Of the device's memory, what nobody holds now."""
    import psutil
    import torch

    if device.type == "cpu":
        return int(psutil.virtual_memory().available)
    return int(getattr(torch, device.type).mem_get_info(device)[0])


def held_bytes(device: torch.device) -> int:
    """The most that this process has held of the device's memory since this was last asked; of the CPU's, what it holds
    now, resident, with Python and libraries."""
    import torch

    if device.type == "cpu":
        return int(_this_process().memory_info().rss)
    module = getattr(torch, device.type)
    most = int(module.max_memory_allocated(device))
    module.reset_peak_memory_stats(device)
    return most


@cache
def _this_process() -> psutil.Process:
    import psutil

    return psutil.Process()
