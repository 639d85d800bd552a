"""Writing safetensors files that others may read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from safetensors.torch import save_file
from torch import Tensor


def save_tensors(tensors: Mapping[str, Tensor], path: Path | str, metadata: dict[str, str]) -> None:
    """Write CPU tensors with the permissions that the umask gives to any new file: the library's own are private."""
    path = Path(path)
    path.touch()
    permissions = path.stat().st_mode
    save_file(dict(tensors), path, metadata=metadata)
    path.chmod(permissions)
