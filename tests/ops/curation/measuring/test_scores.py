from __future__ import annotations

import json
import math
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from ops.curation.measuring.ledger import Ledger
from ops.curation.measuring.scores import (
    DECODING,
    KINDS,
    Cost,
    DamagedStore,
    Score,
    ScoreStore,
    identity_digest,
    score_key,
)
from ops.runtime import files
from ops.runtime.project import Project

IDENTITY = {"scorer": "niqe", "version": 1, "settings": {"frames": 3}}


@pytest.fixture
def store(tmp_path: Path) -> ScoreStore:
    return ScoreStore(tmp_path / "scores" / "v2.sqlite")


def measured(store: ScoreStore, subject: str, value: object, step: str = "technical_quality", **other: object) -> Score:
    return Score(score_key(store.remember(step, IDENTITY), subject), "s1", step, value, **other)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "value", [1.5, -0.0, math.inf, 3, True, None, "text", [0.25, 2], {"changes": [], "x": 1}, 0.1 + 0.2]
)
def test_what_is_put_comes_back_as_it_was(store: ScoreStore, value: object) -> None:
    score = measured(store, "a", value)
    store.put([score])
    (found,) = store.of_source("s1").values()
    assert (found, type(found)) == (value, type(value))
    assert store.of_source("s1") == {score.key: value}
    assert store.values("technical_quality", IDENTITY, ["a", "b"]) == {"a": value}


def test_not_a_number_is_no_missing_score(store: ScoreStore) -> None:
    store.put([measured(store, "a", math.nan)])
    assert math.isnan(store.values("technical_quality", IDENTITY, ["a"])["a"])


def test_a_second_score_of_the_same_key_takes_the_place_of_the_first(store: ScoreStore) -> None:
    store.put([measured(store, "a", 1.0, cost=Cost(5.0, 0.0, 5))])
    store.put([measured(store, "a", [2.0], cost=Cost(1.0, 0.0, 1))])
    assert list(store.of_source("s1").values()) == [[2.0]]
    assert store.costs() == {"technical_quality": Cost(1.0, 0.0, 1)}


def test_a_key_names_step_and_identity_once(store: ScoreStore) -> None:
    digest = store.remember("technical_quality", IDENTITY)
    assert digest == identity_digest("technical_quality", IDENTITY)
    assert digest != identity_digest("aesthetics", IDENTITY)
    assert digest != identity_digest("technical_quality", {**IDENTITY, "version": 2})
    assert score_key(digest, "clip") == f"{digest}:clip"
    store.remember("technical_quality", dict(reversed(IDENTITY.items())))
    assert store.identities()[digest] == ("technical_quality", IDENTITY)
    assert len(store.identities()) == 3  # with those of decoding


def test_a_score_of_unknown_making_is_refused_and_nothing_of_its_kind_is_kept(store: ScoreStore) -> None:
    good = measured(store, "a", 1.0)
    with pytest.raises(ValueError, match="call `remember` before `put`"):
        store.put([good, good._replace(key=score_key("f" * 32, "b"))])
    with pytest.raises(ValueError, match="is one of 'technical_quality'"):
        store.put([good, good._replace(step="aesthetics")])
    with pytest.raises(ValueError, match="make it with `score_key`"):
        store.put([good, good._replace(key="a")])
    assert store.of_source("s1") == {}


def test_a_transaction_is_kept_whole_or_not_at_all(store: ScoreStore) -> None:
    def interrupted() -> None:
        with store.transaction():
            store.put([measured(store, "a", 1.0)])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert store.of_source("s1") == {}
    with store.transaction():
        store.put([measured(store, "a", 1.0)])
        store.put([measured(store, "b", 2.0)])
    assert len(store.of_source("s1")) == 2


def test_costs_are_added_up_by_step(store: ScoreStore) -> None:
    decoding = Score(score_key(store.remember(DECODING, {}), "task"), "s1", DECODING, None, Cost(0.5, 0.0, 3 * 2**40))
    store.put([decoding, measured(store, "a", 1.0, cost=Cost(1.0, 0.25, 10))])
    store.put([measured(store, "b", 2.0, cost=Cost(2.0, 0.25, 20)), measured(store, "a", 2.0, "aesthetics")])
    assert store.costs() == {
        DECODING: Cost(0.5, 0.0, 3 * 2**40),
        "technical_quality": Cost(3.0, 0.5, 30),
        "aesthetics": Cost(0.0, 0.0, 0),
    }


def test_pictures_and_clips_are_told_apart_by_kind(store: ScoreStore) -> None:
    """Also where the same was measured in the same way, and the picture has the name of a clip."""
    clip, picture = (store.remember("aesthetics", IDENTITY, kind) for kind in KINDS)
    assert clip != picture
    store.put([Score(score_key(clip, "a"), "s", "aesthetics", 1.0, Cost(1.0, 0.0, 1))])
    store.put([Score(score_key(picture, "a"), "s", "aesthetics", 2.0, Cost(2.0, 0.0, 2))])
    assert store.values("aesthetics", IDENTITY, ["a"]) == {"a": 1.0}
    assert store.values("aesthetics", IDENTITY, ["a"], "image") == {"a": 2.0}
    assert store.column("aesthetics", IDENTITY, "image")["number"].to_pylist() == [2.0]
    assert store.costs()["aesthetics"] == Cost(1.0, 0.0, 1)
    assert store.costs("image") == {"aesthetics": Cost(2.0, 0.0, 2)}


_WITHOUT_KINDS = """
create table identities (
    id integer primary key, digest text not null unique, step text not null, identity text not null
);
create table scores (
    identity integer not null, subject text not null, source text not null,
    number real, value text, cpu_seconds real not null, gpu_seconds real not null, bytes integer not null,
    primary key (identity, subject)
) without rowid;
"""


def test_scores_of_pictures_outlive_the_prefix_by_which_they_were_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "v2.sqlite"
    of_clips, of_pictures = files.digest(["aesthetics", IDENTITY]), files.digest(["images.aesthetics", IDENTITY])
    identities = [
        (of_clips, "aesthetics", json.dumps(IDENTITY)),
        (of_pictures, "images.aesthetics", json.dumps(IDENTITY)),
        (files.digest(["raw_images", {"version": 4}]), "raw_images", '{"version": 4}'),
    ]
    with sqlite3.connect(path) as database:
        database.executescript(_WITHOUT_KINDS)
        database.executemany("insert into identities (digest, step, identity) values (?, ?, ?)", identities)
        for number in (1, 2, 3):
            database.execute("insert into scores values (?, 'a', 's', ?, null, 1.0, 0.0, 7)", (number, float(number)))
    for _ in range(2):
        with ScoreStore(path) as store:
            assert store.values("aesthetics", IDENTITY, ["a"]) == {"a": 1.0}
            assert store.values("aesthetics", IDENTITY, ["a"], "image") == {"a": 2.0}
            assert store.values("raw_images", {"version": 4}, ["a"], "image") == {"a": 3.0}
            assert set(store.costs()) == {"aesthetics"}
            assert set(store.costs("image")) == {"aesthetics", "raw_images"}


def test_adding_up_costs_reads_no_values(store: ScoreStore, tmp_path: Path) -> None:
    """It is done at the end of every run, and the values of a large corpus are hundreds of gigabytes."""
    store.put([measured(store, f"c{n}", ["x" * 100_000], cost=Cost(1.5, 0.0, 7)) for n in range(100)])
    store.close()
    with ScoreStore(tmp_path / "scores" / "v2.sqlite") as again:
        before = _characters_read()
        assert again.costs()["technical_quality"] == Cost(150.0, 0.0, 700)
        assert _characters_read() - before < 200_000


def _characters_read() -> int:
    """By this process, from any file."""
    return int(Path("/proc/self/io").read_text(encoding="utf-8").split()[1])


def test_sources_are_found_in_any_number(store: ScoreStore) -> None:
    digest = store.remember("aesthetics", {})
    store.put(Score(score_key(digest, f"c{n}"), f"s{n}", "aesthetics", float(n)) for n in range(1200))
    found = store.of_sources([f"s{n}" for n in range(1201)])
    assert len(found) == 1201
    assert found["s1199"] == {score_key(digest, "c1199"): 1199.0}
    assert found["s1200"] == {}
    assert len(store.values("aesthetics", {}, [f"c{n}" for n in range(2000)])) == 1200


def test_scores_of_sources_may_be_those_of_some_identities(store: ScoreStore) -> None:
    score = measured(store, "a", 1.0)
    store.put([score, measured(store, "a", [0.5], "shots")])
    assert store.of_sources(["s1"], [identity_digest("technical_quality", IDENTITY)]) == {"s1": {score.key: 1.0}}
    assert store.of_sources(["s1"], ["nobody's"]) == {"s1": {}}


def test_a_column_holds_every_score_of_one_making(store: ScoreStore) -> None:
    digest = store.remember("shots", {})
    store.put([Score(score_key(digest, "b"), "s", "shots", 0.5), Score(score_key(digest, "a"), "s", "shots", [1.0])])
    store.put([measured(store, "c", 9.0)])
    assert store.column("shots", {}).to_pylist() == [
        {"subject": "a", "number": None, "value": "[1.0]"},
        {"subject": "b", "number": 0.5, "value": None},
    ]
    empty = store.column("shots", {"other": 1})
    assert (empty.num_rows, empty.schema) == (0, store.column("shots", {}).schema)


def test_however_many_scores_are_read_by_one_query(store: ScoreStore) -> None:
    digest, count = store.remember("aesthetics", {}), 10_000
    store.put(Score(score_key(digest, f"{n:016x}"), f"s{n // 10}", "aesthetics", n / 7) for n in range(count))
    queries: list[str] = []
    store.database.set_trace_callback(queries.append)
    column = store.column("aesthetics", {})
    assert [query.split(" from ")[1].split()[0] for query in queries if query.startswith("select")] == ["scores"]
    assert isinstance(column, pa.Table)
    np.testing.assert_array_equal(column["number"].to_numpy(), np.arange(count) / 7)


def test_a_file_of_another_version_is_left_alone(project: Project) -> None:
    old = project.var / "scores" / "scores.sqlite"
    old.parent.mkdir(parents=True)
    with sqlite3.connect(old) as database:
        database.execute("create table scores (key text primary key, source text, step text, value text)")
        database.execute("insert into scores values ('k', 's', 'shots', '1')")
    before = old.read_bytes()
    with ScoreStore.of(project) as store:
        assert store.of_source("s") == {}
    assert old.read_bytes() == before


def test_a_damaged_file_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "v2.sqlite"
    path.write_bytes(b"not a database, but long enough to be looked at" * 100)
    with pytest.raises(DamagedStore, match=r"v2.sqlite cannot be used: .* move it away"):
        ScoreStore(path)


def test_what_is_committed_is_seen_by_others_at_once(store: ScoreStore, tmp_path: Path) -> None:
    score = measured(store, "a", 1.0)
    other = ScoreStore(tmp_path / "scores" / "v2.sqlite")
    assert store.database.execute("pragma journal_mode").fetchone() == ("wal",)
    with store.transaction():
        store.put([score])
        assert other.of_source("s1") == {}
    assert other.of_source("s1") == {score.key: 1.0}


_WRITER = """
import sys
from pathlib import Path
from ops.curation.measuring.ledger import Ledger, Work
from ops.curation.measuring.scores import Score, ScoreStore, score_key

step, path = sys.argv[1], Path(sys.argv[2])
with ScoreStore(path) as store:
    digest, ledger = store.remember(step, {}), Ledger(store)
    work = Work(step, digest, "")
    for number in range(100):
        attempt = ledger.start(work, "s", "a.mp4", [str(number)])
        with store.transaction():
            store.put([Score(score_key(digest, str(number)), "s", step, float(number))])
            ledger.finish(work, attempt, [str(number)])
"""


def test_steps_that_run_at_once_write_one_file(tmp_path: Path) -> None:
    """Dagster may run the images' branch of the graph beside the videos'; the file is made by whoever comes first."""
    path, steps = tmp_path / "v2.sqlite", ("shots", "curated_images", "raw_images")
    writers = [subprocess.Popen([sys.executable, "-c", _WRITER, step, str(path)]) for step in steps]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    with ScoreStore(path) as store:
        assert [store.column(step, {}).num_rows for step in steps] == [100, 100, 100]
        assert {each["outcome"] for each in Ledger(store).attempts()} == {"finished"}
        assert len(Ledger(store).attempts()) == 300


@pytest.mark.costly
def test_a_writer_that_is_killed_leaves_whole_transactions(tmp_path: Path) -> None:
    """SIGKILL at ten moments: a score is there if and only if its attempt is known to be finished."""
    for kill in range(10):
        path = tmp_path / f"{kill}.sqlite"
        writer = subprocess.Popen([sys.executable, "-c", _WRITER.replace("(100)", "(10**9)"), "shots", str(path)])
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and not (path.exists() and _rows(path)):
            time.sleep(0.01)
        time.sleep(0.01 * kill)
        writer.kill()
        assert writer.wait(30) == -signal.SIGKILL
        with ScoreStore(path) as store:
            outcomes = [each["outcome"] for each in Ledger(store).attempts()]
            measured = store.column("shots", {}).num_rows
        assert measured == outcomes.count("finished") > 0
        assert outcomes.count(None) <= 1
        assert len(outcomes) - measured == outcomes.count(None)


def _rows(path: Path) -> int:
    try:
        with ScoreStore(path) as store:
            return store.column("shots", {}).num_rows
    except DamagedStore:  # just being made
        return 0
