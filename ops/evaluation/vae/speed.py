"""How many videos a VAE encodes in a second, and with how much memory."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from models.video_vae import VideoVAE


@dataclass(frozen=True)
class Speed:
    """Encoding, one video at a time, in float32 and without chunks, by the clock of the wall: worthless where others
    work on the machine, or beside another device."""

    videos_per_second: float
    memory_gib: float
    """The most that was held: of an accelerator's memory, or, on a CPU, by the process with all that it is."""
    frames: int
    side: int
    warm_up: int
    repeats: int
    device: str
    torch: str


def encoding_speed(model: VideoVAE, frames: int = 33, side: int = 512, warm_up: int = 2, repeats: int = 5) -> Speed:
    """Of noise of the published size, unless said otherwise."""
    import torch

    from ops.evaluation.vae.passes import direct_chunk
    from ops.runtime.device import busy_seconds, held_bytes

    device = next(model.parameters()).device
    video = torch.rand(1, 3, frames, side, side, generator=torch.Generator().manual_seed(0)).to(device) * 2 - 1
    with torch.inference_mode():
        for _ in range(warm_up):
            model.encode(video, chunk_frames=direct_chunk(model, frames))
        busy_seconds(device, time.perf_counter())
        held_bytes(device)  # what loading took is not asked for
        started = time.perf_counter()
        for _ in range(repeats):
            model.encode(video, chunk_frames=direct_chunk(model, frames))
        seconds = busy_seconds(device, started) or time.perf_counter() - started
    name = torch.get_device_module(device).get_device_name(device) if device.type != "cpu" else "CPU"
    rate, gib = repeats / seconds, held_bytes(device) / 2**30
    return Speed(rate, gib, frames, side, warm_up, repeats, name, torch.__version__)
