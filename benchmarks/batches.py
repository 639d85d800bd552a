"""Batches of clips: what a picture costs a scorer's network alone, with the others of its clip, and with other clips.

`python -m benchmarks.batches` runs on one thread of the CPU; `--device cuda` on a GPU. Weights are random: they change
no time.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import torch
from rich.console import Console

from benchmarks.report import Report
from ops.curation.scorers.laion import SIDE, Laion
from ops.curation.scorers.lpips_series import FRAMES_AT_ONCE
from ops.runtime.device import accelerator, busy_seconds

Run = Callable[[torch.Tensor], object]
PICTURES = 5
"""Of a clip, that CLIP sees."""
CLIPS = Laion.clips_at_once
LPIPS_SIZE = (256, 455)


class Found(NamedTuple):
    """Seconds a picture of one network, for each batch size; the second is the batch of one clip."""

    network: str
    sizes: list[int]
    seconds: list[float]

    def speed(self, place: int) -> float:
        """As a multiple of that of one clip's batch."""
        return self.seconds[1] / self.seconds[place]


def clip(device: torch.device, layers: int) -> Run:
    """The image encoder of CLIP ViT-L/14."""
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    shape = {"hidden_size": 1024, "intermediate_size": 4096, "num_attention_heads": 16, "projection_dim": 768}
    config = CLIPVisionConfig(**shape, num_hidden_layers=layers, patch_size=14, image_size=SIDE)
    network = CLIPVisionModelWithProjection(config).eval().to(device)
    return lambda pictures: network(pixel_values=pictures)


def lpips(device: torch.device) -> Run:
    """The layers of AlexNet that LPIPS reads."""
    from torchvision.models import alexnet

    return alexnet().features.eval().to(device)


def seconds_a_picture(
    run: Run, sizes: list[int], shape: tuple[int, int], device: torch.device, repeats: int
) -> list[float]:
    """Medians over `repeats` turns, in each of which every batch size has its go; the first turn does not count."""
    turns: list[list[float]] = []
    with torch.inference_mode():
        for _ in range(repeats + 1):
            turns.append([_spent(run, torch.randn(size, 3, *shape), device) / size for size in sizes])
    return [statistics.median(column) for column in np.array(turns[1:]).T.tolist()]


def _spent(run: Run, pictures: torch.Tensor, device: torch.device) -> float:
    """Seconds of the CPU, which other work on the machine does not lengthen, or of the accelerator."""
    pictures = pictures.to(device)
    busy_seconds(device, 0.0)
    started, processor = time.perf_counter(), time.process_time()
    run(pictures)
    return busy_seconds(device, started) or time.process_time() - processor


def measure(device: torch.device, repeats: int, layers: int, clips: int) -> list[Found]:
    cases = (
        ("CLIP ViT-L/14", clip(device, layers), [1, PICTURES, PICTURES * clips], (SIDE, SIDE)),
        ("LPIPS, AlexNet", lpips(device), [1, FRAMES_AT_ONCE, FRAMES_AT_ONCE * 4], LPIPS_SIZE),
    )
    return [
        Found(name, sizes, seconds_a_picture(run, sizes, shape, device, repeats)) for name, run, sizes, shape in cases
    ]


def report(found: list[Found], device: torch.device) -> Report:
    rows = [
        (f"{each.network}, {size} at once", f"{1000 * each.seconds[place]:.2f}", f"{each.speed(place):.2f}")
        for each in found
        for place, size in enumerate(each.sizes)
    ]
    return Report(
        "Batches of clips" if device.type == "cpu" else "Batches of clips on a GPU",
        f"CLIP looks at pictures {found[0].speed(2):.2f} times as fast with those of {found[0].sizes[2] // PICTURES} "
        "clips in a batch as with those of one.",
        ("", "ms a picture", "speed, of one clip's batch"),
        rows,
        (
            f"In float32 on {_name(device)}; {PICTURES} pictures of a clip for CLIP, {FRAMES_AT_ONCE} frames at once "
            "for LPIPS. The curation of clips batches across clips on accelerators only.",
        ),
    )


def _name(device: torch.device) -> str:
    if device.type == "cpu":
        return "one thread of the CPU, in CPU seconds"
    return str(getattr(torch, device.type).get_device_name(device))


@contextmanager
def one_thread() -> Iterator[None]:
    """As a worker of curation computes."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--repeats", type=int, default=3, help="turns; medians are shown")
    parser.add_argument("--quick", action="store_true", help="a small network once, and nothing is written")
    asked = parser.parse_args()
    device, console = accelerator(asked.device), Console()
    with one_thread(), console.status("networks look at batches"):
        found = measure(device, 1, 1, 2) if asked.quick else measure(device, asked.repeats, 24, CLIPS)
    result = report(found, device)
    result.show(console)
    if not asked.quick:
        result.write()


if __name__ == "__main__":
    main()
