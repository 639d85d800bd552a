"""The store is made once, whoever comes first."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from ops.runtime.project import Project

OPEN = """
import sys
from pathlib import Path

import dagster as dg

from ops.runtime.project import Project
from pipelines import dagster_home

for number, root in enumerate(sys.argv[2:]):
    print("ready", flush=True)
    sys.stdin.readline()
    # not all at the very same moment: a store is torn where one comes while another is half way
    for _ in range(int(sys.argv[1]) * number * 20_000):
        pass
    home = dagster_home.make(Project(Path(root)))
    assert dg.DagsterInstance.from_config(str(home)).get_runs() == []
"""


@pytest.mark.costly
def test_processes_that_come_at_once_leave_one_schema_version(tmp_path: Path, checkout: Path) -> None:
    roots = [tmp_path / str(number) for number in range(8)]
    for root in roots:
        root.mkdir()
        shutil.copy(checkout / "dagster.yaml", root)
    pipe = subprocess.PIPE
    openers = [
        subprocess.Popen(
            [sys.executable, "-c", OPEN, str(number), *map(str, roots)],
            cwd=checkout,
            stdin=pipe,
            stdout=pipe,
            text=True,
        )
        for number in range(3)
    ]
    for _ in roots:
        for opener in openers:
            assert opener.stdout is not None
            assert opener.stdout.readline() == "ready\n"
        for opener in openers:
            assert opener.stdin is not None
            opener.stdin.write("go\n")
            opener.stdin.flush()
    for opener in openers:
        opener.communicate(timeout=60)
    assert [opener.returncode for opener in openers] == [0] * len(openers)
    for root in roots:
        stores = sorted(Project(root).dagster_home.rglob("*.db"))
        assert {store.stem for store in stores} == {"runs", "index", "schedules"}
        for store in stores:
            versions = sqlite3.connect(store).execute("SELECT version_num FROM alembic_version").fetchall()
            assert len(versions) == 1, f"{store}: {versions}"
