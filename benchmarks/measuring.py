"""Seconds of two callables in turns, and the peak memory of one side of a case in a process of its own."""

from __future__ import annotations

import gc
import os
import re
import resource
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from unittest.mock import patch

import torch
from torch import Tensor

from benchmarks.model_cases import Case, Place, Side

GIVE_BACK = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}  # of glibc, in bytes


@dataclass(frozen=True)
class Timing:
    """Median seconds of each, the number of pairs, and how far apart their results are: at most, of values up to."""

    ours: float
    plain: float
    pairs: int
    apart: float = 0.0
    largest: float = 0.0


def in_turns(
    ours: Callable[[], Tensor], plain: Callable[[], Tensor], repeats: int, patience: float, device: str = "cpu"
) -> Timing:
    """Ours, plain, ours, plain, …: `repeats` pairs, or as many as begin within `patience` seconds.

    The results of the first pair are compared. It also warms up: its seconds count only where there is no other.
    """
    began = time.perf_counter()
    (result, first_ours), (expected, first_plain) = _timed(ours, device), _timed(plain, device)
    apart, largest = (result - expected).abs().max().item(), expected.abs().max().item()
    del result, expected
    seconds: list[tuple[float, float]] = []
    while len(seconds) < repeats and time.perf_counter() - began < patience:
        seconds.append((_timed(ours, device)[1], _timed(plain, device)[1]))
    seconds = seconds or [(first_ours, first_plain)]
    ours_seconds, plain_seconds = (statistics.median(each) for each in zip(*seconds, strict=True))
    return Timing(ours_seconds, plain_seconds, len(seconds), apart, largest)


def _timed(work: Callable[[], Tensor], device: str) -> tuple[Tensor, float]:
    """A copy of the result, which the next call cannot overwrite, and the seconds of the work."""
    _wait(device)
    started = time.perf_counter()
    result = work()
    _wait(device)
    seconds = time.perf_counter() - started
    return result.detach().float().clone(), seconds


def _wait(device: str) -> None:
    if device != "cpu":
        torch.cuda.synchronize()


def peak_memory(case: Case, side: Side, place: Place) -> int:
    """Bytes that the work needs at most above what is held before it, measured in a fresh process.

    Weights, inputs and (in training) gradients are held before it and so are not counted: what is, is activations,
    workspaces and the result. On the CPU it is resident memory, with a C library that gives freed blocks of 64 KiB
    and more back at once, as it would otherwise hold them and hide what the work needs; on a GPU it is what PyTorch's
    allocator has handed out.
    """
    with patch.dict(os.environ, GIVE_BACK), ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_peak, case, side, place, torch.get_num_threads()).result()


def held_memory(case: Case, side: Side, place: Place) -> int:
    """Bytes that weights and inputs take on a GPU before the work: with `peak_memory`, all that it takes."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_held, case, side, place).result()


def _held(case: Case, side: Side, place: Place) -> int:
    module = case.module(side, place)
    work = case.work(module, place)
    held = torch.cuda.memory_allocated()
    del module, work
    return held


def _peak(case: Case, side: Side, place: Place, threads: int) -> int:
    torch.set_num_threads(threads)
    module = case.module(side, place)
    case.small().work(module, place)()  # loads the kernels, and makes the gradients
    work = case.work(module, place)
    gc.collect()
    if place.device != "cpu":
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        held = torch.cuda.memory_allocated()
        work()
        return torch.cuda.max_memory_allocated() - held
    held = _resident()
    with suppress(OSError):  # where the mark cannot be lowered, what building took may hide a smaller peak
        Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")
    work()
    return max(_highest() - held, 0)


def _resident() -> int:
    return _status("VmRSS") or 0


def _highest() -> int:
    """The high-water mark of resident memory."""
    return _status("VmHWM") or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _status(field: str) -> int | None:
    found = re.search(
        rf"^{field}:\s*(\d+) kB$", Path("/proc/self/status").read_text(encoding="utf-8"), flags=re.MULTILINE
    )
    return int(found[1]) * 1024 if found else None
