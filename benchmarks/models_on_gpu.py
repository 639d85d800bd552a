"""Absolute figures on a GPU, beside those of the WF-VAE paper (arXiv 2411.17459, table 6: H100, float32).

WF-VAE-S and -L on a video of 33×512×512, and a block of the denoiser on latents of 93 frames at 480p and 720p.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from benchmarks.measuring import held_memory, in_turns, peak_memory
from benchmarks.model_cases import SIDES, Case, DenoiserCase, Place, VAECase, modules
from benchmarks.report import Report

TITLE = "Models on a GPU"
WIDTHS = {"WF-VAE-S": 128, "WF-VAE-L": 192}
FLOW = 128
# Videos a second and gigabytes, encoding in float32 on an H100.
PUBLISHED = {"WF-VAE-S": (11.11, 4.70), "WF-VAE-L": (5.55, 7.00)}
GRIDS = {"93x480p": (24, 30, 40), "93x720p": (24, 45, 80)}
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
SPARSE_RATIO = 4
BLOCKS = 2
"""One of single skip and one of group skip; figures are a block's mean."""


@dataclass(frozen=True)
class Figures:
    """One row; `published` is None where the paper has no such figure."""

    name: str
    ours: float
    plain: float
    published: float | None = None

    def row(self) -> tuple[str, ...]:
        published = "" if self.published is None else f"{self.published:.2f}"
        return self.name, f"{self.ours:.2f}", f"{self.plain:.2f}", published


def measure(
    parts: Sequence[str], repeats: int, patience: float, quick: bool, device: str = "cuda"
) -> Iterator[Figures]:
    if "vae" in parts:
        for model in WIDTHS:
            for precision in DTYPES:
                for way in ("encode", "decode"):
                    yield from _vae(model, way, precision, repeats, patience, quick, device)
    if "attention" in parts or "denoiser" in parts:
        for video, grid in GRIDS.items():
            yield from _block(video, (2, 4, 6) if quick else grid, repeats, patience, quick, device)


def _vae(
    model: str, way: str, precision: str, repeats: int, patience: float, quick: bool, device: str
) -> Iterator[Figures]:
    width, flow = (8, 8) if quick else (WIDTHS[model], FLOW)
    size = {"side": 16, "frames": 9} if quick else {"side": 512}
    case = VAECase(way="encode" if way == "encode" else "decode", base_channels=width, flow_channels=flow, **size)
    published = PUBLISHED[model] if (way, precision) == ("encode", "float32") else (None, None)
    place = Place(device, DTYPES[precision])
    # with weights and inputs, as the paper's figures seem to be
    memory = [peak_memory(case, side, place) + held_memory(case, side, place) for side in SIDES]
    seconds = _seconds(case, place, repeats, patience)
    name = f"{model} {case.name}, {precision}"
    yield Figures(f"{name}: videos a second", 1 / seconds[0], 1 / seconds[1], published[0])
    yield Figures(f"{name}: GB", memory[0] / 1e9, memory[1] / 1e9, published[1])


def _block(
    video: str, grid: tuple[int, int, int], repeats: int, patience: float, quick: bool, device: str
) -> Iterator[Figures]:
    shape = {"heads": 2, "head_width": 12, "text_width": 16, "tokens": 8} if quick else {}
    place = Place(device, torch.bfloat16)
    full: tuple[float, float] = (0.0, 0.0)
    for ratio, attention in ((1, "full attention"), (SPARSE_RATIO, f"k = {SPARSE_RATIO}")):
        case = DenoiserCase(step="training", ratio=ratio, grid=grid, layers=BLOCKS, **shape)
        seconds = _seconds(case, place, repeats, patience)
        name = f"block at {video}, forward and backward, bfloat16"
        yield Figures(f"{name}, {attention}: ms", 1e3 * seconds[0] / BLOCKS, 1e3 * seconds[1] / BLOCKS)
        if ratio == 1:
            full = seconds
        else:
            yield Figures(f"{name}: full attention over {attention}", full[0] / seconds[0], full[1] / seconds[1])


def _seconds(case: Case, place: Place, repeats: int, patience: float) -> tuple[float, float]:
    """Ours and plain."""
    both = {side: case.work(module, place) for side, module in modules(case, place).items()}
    timing = in_turns(both["ours"], both["plain"], repeats, patience, place.device)
    return timing.ours, timing.plain


def report(found: Sequence[Figures]) -> Report:
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    paper = [(f.name, f.ours / f.published) for f in found if f.published]
    against = ", ".join(f"{ratio:.2f} ({name})" for name, ratio in paper)
    return Report(
        TITLE,
        f"Ours over the paper's figures: {against}." if paper else "Figures that the paper does not have.",
        ("", "ours", "plain", "paper"),
        [figures.row() for figures in found],
        (
            f"{device}, PyTorch {torch.__version__}, CUDA {torch.version.cuda}; the paper's figures are from an H100 "
            "in float32 with a batch of one. Memory counts weights and inputs, and is what PyTorch's allocator has "
            "handed out at most.",
            f"TF32: {_allowed(torch.backends.cudnn.allow_tf32)} in convolutions, "
            f"{_allowed(torch.backends.cuda.matmul.allow_tf32)} in matrix products, PyTorch's defaults.",
            "A block's time is the mean of a single skip and a group skip block; the embeddings of its inputs and the "
            "output layer are within it.",
        ),
    )


def _allowed(flag: bool) -> str:
    return "allowed" if flag else "not allowed"
