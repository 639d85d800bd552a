"""The bytes that live are counted once for each storage, and only those that came to be meanwhile."""

from __future__ import annotations

import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from ops.training.planning.live_bytes import LiveBytes

KIB = 256
"""Float32 numbers."""


def test_what_was_made_counts_as_long_as_it_lives() -> None:
    before = torch.zeros(4 * KIB)
    with LiveBytes() as live:
        one = torch.zeros(KIB)
        view = one.view(2, -1)
        assert (live.now, live.peak) == (1024, 1024)
        two = one + view.flatten()
        assert before[:KIB].sum() == 0  # a view of what was there before, and one number
        assert live.now == 2048
        del one, two
        assert live.now == 1024, "the view still holds the storage"
        assert live.take_peak() >= 2048
        assert live.peak == live.now
        del view
    assert live.now == 0


def test_nothing_has_to_be_there_to_be_counted() -> None:
    with FakeTensorMode(), LiveBytes() as live:
        vast = torch.zeros(1 << 40)
        assert live.now == 4 << 40
        assert float(vast.sum()) == 0.5  # somewhere within every range
        assert bool((vast == 0).all())
        assert torch.zeros(1 << 40, device="meta").is_meta
    assert live.peak < 2 * (4 << 40)
