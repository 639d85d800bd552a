"""The list of reasons is one list: codes, meanings, and what a pool may say about its items."""

from __future__ import annotations

from typing import get_args, get_type_hints

from ops.catalogue.reasons import MEANINGS, Reason
from ops.curation.rules.verdicts import judged
from ops.runtime.parallel import Failure


def test_every_code_has_a_meaning() -> None:
    assert set(Reason) < set(MEANINGS)
    assert len(set(MEANINGS.values())) == len(MEANINGS)


def test_every_failure_of_a_worker_is_a_code() -> None:
    codes = get_args(get_type_hints(Failure)["code"])
    assert len(codes) == 4
    for code in codes:
        row = judged({"path": "a.mp4"}, "shots", Failure("a sentence", code))
        assert row == {"path": "a.mp4", "rejected_by": "shots", "reason_code": code, "reason": "a sentence"}
        assert Reason(row["reason_code"])
