"""The waste of batches by tokens is counted, not supposed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]


def test_padding_and_waiting_are_shares_of_what_ranks_have_time_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT)
    from benchmarks import token_batches
    from benchmarks.token_batches import Waste, waste

    monkeypatch.setattr(token_batches, "RANKS", 2)
    held = np.array([[3, 1], [2, 2]])
    assert waste(held) == Waste(0.0, 1 - 8 / 10)
    assert waste(held, np.array([[3, 2], [2, 3]])) == Waste(1 - 8 / 10, 1 - 10 / 12)
    assert Waste(0.5, 0.5).both == 0.75


def test_batches_by_tokens_waste_next_to_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT)
    from benchmarks import token_batches

    buckets = token_batches.mixture(400_000)
    _, held = token_batches.planned(buckets)
    assert held.shape[1] == token_batches.RANKS
    assert token_batches.waste(held).both <= token_batches.MOST
    own = token_batches.drawn_from_all(buckets, padded=False).sum(axis=2)
    padded = token_batches.drawn_from_all(buckets, padded=True).sum(axis=2)
    assert token_batches.waste(own, padded).both > 0.3
