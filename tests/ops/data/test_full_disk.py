"""A disk that fills up while a table is written leaves what was there before."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pyarrow as pa

from ops.data.dvc import materialise, stale, version
from ops.runtime import tables
from ops.runtime.project import Project

SCHEMA = pa.schema([("name", pa.string()), ("number", pa.int64())])
FULL_DISK = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a write past the limit then fails as on a full disk
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), int(sys.argv[1])))
"""
WRITE = """
from pathlib import Path
import pyarrow as pa
from ops.runtime import tables
rows = [{"name": f"{n * 7919 % 104729:x}" * 3, "number": n} for n in range(100_000)]
tables.write(Path(sys.argv[2]), rows, pa.schema([("name", pa.string()), ("number", pa.int64())]))
"""
SETTINGS = """
from pathlib import Path
from ops.data.resolved_settings import settings
from ops.runtime.project import Project
settings(Project(Path(sys.argv[2])))
"""


def run_full(program: str, limit: int, path: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK + program, str(limit), str(path)], capture_output=True, text=True
    )
    assert done.returncode == 1
    return done.stderr


def test_a_full_disk_leaves_the_old_table(tmp_path: Path):
    path = tmp_path / "clips.parquet"
    tables.write(path, [{"name": "old", "number": 1}], SCHEMA)
    before = path.read_bytes()
    assert "File too large" in run_full(WRITE, 20_000, path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path], "half a table was left behind"


def test_a_full_disk_leaves_the_committed_version(bare: Project):
    materialise(bare, "settings")
    before = version(bare, "settings")
    path = bare.root / "data" / "settings.yaml"
    text = path.read_text()
    assert "File too large" in run_full(SETTINGS, 100, bare.root)
    assert path.read_text() == text
    assert "settings" not in stale(bare)
    assert version(bare, "settings") == before
