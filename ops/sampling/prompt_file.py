"""A file of prompts: one a line."""

from __future__ import annotations

from pathlib import Path

from ops.sampling.given import SamplingError


def read_prompts(path: Path) -> list[str]:
    """The lines that hold any words, in order.

    Raises:
        SamplingError: there is no such file, it is not UTF-8, or it holds no prompt.
    """
    if not path.is_file():
        raise SamplingError(f"there is no file of prompts {path}")
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise SamplingError(f"{path}, line {line}, is not UTF-8: save it in that encoding") from error
    prompts = [line.strip() for line in text.splitlines() if line.strip()]
    if not prompts:
        raise SamplingError(f"{path} holds no prompt: write one on each line")
    return prompts
