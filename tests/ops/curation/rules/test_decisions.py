"""Whole tables are decided as single clips are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa
import pytest

from ops.catalogue import SCORES
from ops.catalogue.reasons import MEANINGS
from ops.config import RULED_SCORES, Curation, resolve
from ops.curation.clip import Clip
from ops.curation.rules.decisions import VERDICT, decide, still_in, with_failures
from ops.curation.rules.rejection import UnmeasuredScore, rejection
from ops.curation.rules.walk import walk
from ops.curation.tables import MOTION_RECHECK
from ops.runtime import tables
from ops.runtime.parallel import Failure
from ops.runtime.tables import Row


@pytest.fixture(scope="module")
def redecide(checkout: Path) -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(checkout)
        from benchmarks import redecide

        yield redecide


def curation(checkout: Path, **rules: Any) -> Curation:
    return resolve(checkout, "tiny", {"curation": {"rules": {"aesthetic": {"minimum": 4.75}, **rules}}}).curation


@pytest.fixture(scope="module")
def table(redecide: ModuleType, checkout: Path) -> pa.Table:
    return redecide.synthesised(curation(checkout, central_text={"maximum": 0.5}), 3000)


@pytest.mark.parametrize(
    "stricter",
    [
        {},
        {"aesthetic": {"minimum": 5.5}},
        {"aesthetic": {"minimum": 5.2}, "technical": {"maximum": 30.0}},
        {"motion": {"minimum": 0.05}, "motion_cropped": {"maximum": 0.1}},
        {"central_text": {"maximum": 0.0}, "motion_cropped": None},
    ],
    ids=lambda rules: "-".join(rules) or "the same",
)
def test_a_table_is_decided_as_its_rows_are(checkout: Path, table: pa.Table, stricter: dict[str, Any]) -> None:
    rules = curation(checkout, **stricter)
    measured = complete(table)
    decided = decide(measured, rules)
    one_by_one = [judged_alone(row, rules) for row in measured.to_pylist()]
    for name in MOTION_RECHECK.names:
        assert decided[name].to_pylist() == [row[name] for row in one_by_one], name
    steps = Counter(decided["rejected_by"].to_pylist())
    assert {"motion", "aesthetics", None} <= set(steps)


def judged_alone(row: Row, rules: Curation) -> Row:
    """The plain way: one score after the other, until a rule says no; what no rule rejected stays rejected."""
    steps = {ruled.step: score for score, ruled in RULED_SCORES.items()}
    if row["rejected_by"] not in (None, *steps):
        return row
    found = {step: rejection(rules, score, row[score]) for step, score in steps.items()}
    step = next((step for step in steps if found[step]), None)
    told = found[step].columns() if step else {"reason_code": None, "reason": None}
    return {**row, "rejected_by": step, **told}


def complete(table: pa.Table) -> pa.Table:
    """Every clip has every score, so that any rules can be asked."""
    for place, name in enumerate(table.column_names):
        if name in RULED_SCORES and name != "motion":
            table = table.set_column(place, name, table[name].fill_null(0.4 if "motion" in name else 4.8))
    return table


def test_chunks_and_missing_scores_do_not_matter(checkout: Path, table: pa.Table) -> None:
    rules = curation(checkout, aesthetic={"minimum": 5.1})
    whole = table.slice(0, 600)
    in_pieces = pa.concat_tables([whole.slice(0, 7), whole.slice(7, 200), whole.slice(207)])
    assert decide(in_pieces, rules).to_pylist() == decide(whole, rules).to_pylist()


def test_a_looser_rule_asks_for_what_was_never_measured(checkout: Path, table: pa.Table) -> None:
    with pytest.raises(UnmeasuredScore, match=r"'technical' of \d+ rows that are still in has not been measured"):
        decide(table, curation(checkout, aesthetic={"minimum": 0.0}))


def test_other_verdicts_stand(checkout: Path) -> None:
    """Lengths, failures and rows rejected by a step whose rule is not asked."""
    texts = [
        ("shots", "too_short", "10 frames"),
        ("aesthetics", "failed", "its decoder failed"),
        ("motion", "no_motion", "no two sampled frames"),
        ("aesthetics", "low_aesthetics", "4.00 is below 5"),
        ("technical_quality", "low_quality", "50.00 is above 42"),
    ]
    columns = {name: [text[place] for text in texts] for place, name in enumerate(VERDICT)}
    scores = {"motion": [None, 0.1, None, 0.1, 0.1], "aesthetic": [None, None, None, 9.5, 30.0]}
    table = pa.table({**columns, **{name: pa.array(values, pa.float64()) for name, values in scores.items()}})
    assert decide(table, curation(checkout, motion={"minimum": 0.0}), ["aesthetic"])["rejected_by"].to_pylist() == [
        *("shots", "aesthetics", "motion", None, "technical_quality")
    ]
    without = curation(checkout, motion=None, aesthetic=None)
    assert decide(table, without, ["motion", "aesthetic"])["rejected_by"].to_pylist() == [
        *("shots", "aesthetics", None, None, "technical_quality")
    ]


def test_what_could_not_be_measured_is_out_with_its_reason() -> None:
    table = pa.table({name: pa.array([None, "x", None, None], pa.string()) for name in VERDICT})
    failures = {0: Failure("it took too long", "too_slow"), 3: Failure("broken", "failed")}
    found = with_failures(table, "aesthetics", failures)
    assert found["rejected_by"].to_pylist() == ["aesthetics", "x", None, "aesthetics"]
    assert found["reason_code"].to_pylist() == ["too_slow", "x", None, "failed"]
    assert found["reason"].to_pylist() == ["it took too long", "x", None, "broken"]
    assert still_in(found).tolist() == [False, False, True, False]


def test_text_in_the_middle_ends_the_walk_where_a_rule_says_so(checkout: Path) -> None:
    clip = Clip("f" * 64, 0, 48, None, 24.0, 100, 100)
    asked: list[str] = []

    def measure(step: str, clips: list[Clip]) -> dict[Clip, Any]:
        asked.append(step)
        return dict.fromkeys(clips, [[[10, 90, 40, 60]]] if step == "text_crop" else 20.0)  # 16 % of the picture

    walk("text_crop", [clip], curation(checkout, central_text={"maximum": 0.16}), measure)
    assert asked == ["text_crop", "aesthetics", "technical_quality", "near_duplicates"]
    asked.clear()
    walk("text_crop", [clip], curation(checkout, central_text={"maximum": 0.15}), measure)
    assert asked == ["text_crop"]


def test_every_bound_has_words_of_its_own_and_a_code_that_is_told() -> None:
    for name, score in SCORES.items():
        assert score.bounds == RULED_SCORES[name].bounds
        for wording in score.beyond.values():
            told = wording.sentence.format(score="1.5", limit=2.5, scorer="somebody")
            assert "1.5" in told
            assert "2.5" in told
        assert all(MEANINGS[wording.code] == wording.meaning for wording in score.wordings)


def test_other_columns_are_passed_on_as_they_are(table: pa.Table, tmp_path: Path, monkeypatch) -> None:
    """Row group by row group; the file tells nothing of how it was made."""
    monkeypatch.setattr(tables, "GROUP", 700)
    path, again = tmp_path / "a.parquet", tmp_path / "b.parquet"
    tables.write_columns(path, table, MOTION_RECHECK)
    assert tables.read(path) == table.to_pylist()
    verdicts = pa.table({name: pa.array([name] * len(table)) for name in VERDICT})
    tables.rewrite(again, path, verdicts, MOTION_RECHECK)
    assert tables.read(again) == [{**row, **dict(zip(VERDICT, VERDICT, strict=True))} for row in table.to_pylist()]
    before = path.read_bytes()
    tables.rewrite(path, path, tables.read_columns(path, VERDICT), MOTION_RECHECK)
    assert path.read_bytes() == before
    with pytest.raises(ValueError, match="has 3000 rows, but 2999 are given"):
        tables.rewrite(again, path, verdicts.slice(1), MOTION_RECHECK)
    tables.write_columns(path, table.slice(0, 0), MOTION_RECHECK)
    tables.rewrite(again, path, verdicts.slice(0, 0), MOTION_RECHECK)
    assert tables.read(again) == []
