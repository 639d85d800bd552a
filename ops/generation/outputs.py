"""Where the videos of several requests lie."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from ops.sampling.request import Request, SamplingError

LONGEST_NAME = 40


def safe_name(index: int, prompt: str) -> str:
    """A file name that any file system takes, and that sorts by prompt: '02-a-red-bicycle'."""
    words = re.sub(r"[^a-z0-9]+", "-", prompt.lower()).strip("-")[:LONGEST_NAME].rstrip("-")
    return f"{index:02d}-{words}" if words else f"{index:02d}"


def outputs_of(requests: Sequence[Request], output: Path) -> list[Path]:
    """One request's video is `output` itself; those of several lie in that folder, by prompt and seed.

    Raises:
        SamplingError: one file for several videos, or a folder for one.
    """
    if len(requests) == 1:
        require_mp4(output)
        return [output]
    if output.suffix or output.is_file():
        raise SamplingError(
            f"the output is {output}, but {len(requests)} videos would be written to it: name a folder, such as "
            f"{output.with_suffix('')}"
        )
    prompts = list(dict.fromkeys(request.prompt for request in requests))
    return [
        output / f"{safe_name(prompts.index(request.prompt), request.prompt)}-seed_{request.seed}.mp4"
        for request in requests
    ]


def require_mp4(output: Path) -> None:
    if output.suffix.lower() != ".mp4":
        raise SamplingError(f"the output is {output.name}, but must end in .mp4")
