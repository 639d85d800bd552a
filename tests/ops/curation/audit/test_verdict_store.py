from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ops.curation.audit.verdict_store import AuditError, VerdictStore


@pytest.fixture
def store(tmp_path: Path) -> VerdictStore:
    store = VerdictStore(tmp_path / "audit" / "verdicts.jsonl")
    with store.writing():
        pass
    return store


def standing(store: VerdictStore) -> list[tuple[str, str]]:
    return [(clip, judgement.verdict) for clip, judgement in store.standing().items()]


def test_a_line_holds_clip_verdict_time_and_version(store: VerdictStore) -> None:
    store.append("a", "accept", "v1", None)
    store.append("b", "reject", "v1", "motion")
    first, second = map(json.loads, store.path.read_text().splitlines())
    assert abs(datetime.fromisoformat(first.pop("time")) - datetime.now(UTC)) < timedelta(minutes=1)
    assert first == {"clip_id": "a", "verdict": "accept", "version": "v1", "rejected_by": None}
    assert (second["clip_id"], second["rejected_by"]) == ("b", "motion")


def test_the_last_word_stands_and_no_line_is_lost(store: VerdictStore) -> None:
    for clip, verdict in (("a", "accept"), ("b", "accept"), ("a", "reject"), ("b", "undo"), ("c", "accept")):
        store.append(clip, verdict, "v1", None)  # type: ignore[arg-type]
    assert standing(VerdictStore(store.path)) == [("a", "reject"), ("c", "accept")]
    assert len(store.read()) == 5


def test_a_half_written_line_is_cut_off(store: VerdictStore) -> None:
    store.append("a", "accept", "v1", None)
    whole = store.path.read_text()
    store.path.write_text(whole + whole[: len(whole) // 2])
    assert standing(store) == [("a", "accept")]
    with store.writing():
        store.append("b", "reject", "v1", None)
    assert standing(store) == [("a", "accept"), ("b", "reject")]


@pytest.mark.parametrize("line", ["nonsense", "[1]", '{"clip_id": "a"}'])
def test_a_foreign_line_is_an_error_that_names_it(store: VerdictStore, line: str) -> None:
    store.append("a", "accept", "v1", None)
    with store.path.open("a") as file:
        file.write(line + "\n")
    with pytest.raises(AuditError, match=r"verdicts\.jsonl, line 2: not a judgement"):
        store.standing()


def test_an_unknown_verdict_is_an_error(store: VerdictStore) -> None:
    store.append("a", "perhaps", "v1", None)  # type: ignore[arg-type]
    with pytest.raises(AuditError, match="verdict 'perhaps' is not one of"):
        store.read()


def test_one_writer_at_a_time(store: VerdictStore) -> None:
    with store.writing(), pytest.raises(AuditError, match="held by another audit"), store.writing():
        pass
    with store.writing():
        pass


def test_nothing_written_is_nothing_judged(tmp_path: Path) -> None:
    assert VerdictStore(tmp_path / "none.jsonl").standing() == {}
