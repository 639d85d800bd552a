"""Both ways of reading shards that are compared give the same latents."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).resolve().parents[2]


def test_both_ways_read_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT)
    from benchmarks import shard_reads

    monkeypatch.setattr(shard_reads, "SHARDS", 2)
    monkeypatch.setattr(shard_reads, "READ", 20)
    monkeypatch.setattr(shard_reads, "LATENT", (2, 1, 4, 4))
    found = list(shard_reads.measure(tmp_path))
    assert [(each.order, each.way) for each in found] == [
        (order, way) for order in ("random", "in sequence") for way in ("mapped", "positional")
    ]
    assert "of its bytes" in shard_reads.report(found).section()
    names = [f"{1:04x}{5:012x}.{part}" for part in shard_reads.PARTS]
    with shard_reads.mapped(tmp_path) as one, shard_reads.positional(tmp_path) as other:
        for ours, theirs in zip(one("1.safetensors", names), other("1.safetensors", names), strict=True):
            assert torch.equal(ours, theirs)
