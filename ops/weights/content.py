"""What weights are, whatever they are called: a hash of the files of a folder in the released form."""

from __future__ import annotations

import json
from pathlib import Path

from ops.runtime.files import digest, sha256

SEALED = "COMPLETE"
"""The marker of a checkpoint, which lists its files with their hashes."""
ENDING = ".safetensors"


def weights_hash(folder: Path) -> str:
    """Of the tensors' files, by their names. In a checkpoint its marker tells it, and no file is read."""
    marker = folder.parent / SEALED
    if marker.is_file():
        listed = json.loads(marker.read_text(encoding="utf-8"))["files"]
        inside = f"{folder.name}/"
        found = {name.removeprefix(inside): each["sha256"] for name, each in listed.items() if name.startswith(inside)}
    else:
        found = {file.name: sha256(file) for file in folder.glob(f"*{ENDING}")}
    return digest({name: found[name] for name in sorted(found) if name.endswith(ENDING)})
