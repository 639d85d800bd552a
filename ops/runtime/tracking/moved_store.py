"""A project that has been moved or copied: its MLflow store is told where its artifacts lie now.

MLflow keeps absolute addresses, with each experiment, run and logged model. Left as they are, a moved project loses
what it has logged, and a copy goes on writing into the original.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import unquote

from ops.runtime.project import Project

BUSY_SECONDS = 10.0
ADDRESSES = (
    ("experiments", "artifact_location", "true"),
    ("runs", "artifact_uri", "true"),
    ("logged_models", "artifact_location", "true"),
    ("logged_model_tags", "tag_value", "tag_key = 'uri'"),
    ("model_versions", "storage_location", "true"),
)
"""Tables, their columns and rows that hold the address of something in the project."""


class UnreadableStore(OSError, ValueError):
    """A store that is locked for long, or damaged; the message says what to do."""


def artifacts_of(project: Project) -> str:
    """Where a store of the project's own puts the artifacts, as a `file:` address."""
    return (project.var / "mlflow" / "artifacts").resolve().as_uri()


def follow_move(project: Project) -> str | None:
    """Put the project's present place for the one that its store remembers; returns where that was, None if it is here.

    Only a SQLite file of the project's own is touched, and of it only what lay in the project. It is done in one
    transaction, so that of several processes one does it and the others find it done.

    Raises:
        UnreadableStore: when the file is damaged, or locked for long.
    """
    store = project.var / "mlflow" / "mlflow.db"
    if project.tracking_uri != f"sqlite:///{store}" or not store.is_file():
        return None
    try:
        with closing(sqlite3.connect(store, timeout=BUSY_SECONDS, isolation_level=None)) as database:
            old = _follow(database, project)
    except sqlite3.Error as error:
        raise UnreadableStore(
            f"MLflow's store {store} cannot be read ({error}): wait for who keeps it locked, or put a copy in its place"
        ) from error
    return old and unquote(old.removeprefix("file://"))


def _follow(database: sqlite3.Connection, project: Project) -> str | None:
    if _remembered(database, project) is None:
        return None
    database.execute("BEGIN IMMEDIATE")
    old = _remembered(database, project)  # again, for another process may have been faster
    if old is not None:
        for before, after in _places(project, old):
            _replace(database, before, after)
    database.execute("COMMIT")
    return old


def _remembered(database: sqlite3.Connection, project: Project) -> str | None:
    """The address of the artifacts that the store remembers, if it is another than today's."""
    if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'experiments'").fetchone():
        return None  # the file is being made
    found = database.execute("SELECT DISTINCT artifact_location FROM experiments WHERE name LIKE 'soraflow%'")
    others = {place for (place,) in found if place and place.endswith("/mlflow/artifacts")} - {artifacts_of(project)}
    return min(others, default=None)


def _places(project: Project, artifacts: str) -> Iterator[tuple[str, str]]:
    """(old, new) addresses of `var/`, which may be a link to another disk, and of the project's root around it."""
    old = artifacts.removesuffix("/mlflow/artifacts")
    yield old, project.var.resolve().as_uri()
    if old.endswith("/var"):
        yield old.removesuffix("/var"), project.root.resolve().as_uri()


def _replace(database: sqlite3.Connection, old: str, new: str) -> None:
    """As addresses, and as plain paths: MLflow gives one to the experiment that it makes itself."""
    paths = tuple(unquote(address.removeprefix("file://")) for address in (old, new))
    for before, after in ((old, new), paths):
        values = (after, len(before) + 1, len(before) + 1, f"{before}/")
        for table, column, only in ADDRESSES:
            rows = f"{only} AND substr({column}, 1, ?) = ?"
            database.execute(f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE {rows}", values)
    quoted = [json.dumps(path) for path in paths]
    database.execute("UPDATE datasets SET dataset_source = replace(dataset_source, ?, ?)", quoted)
