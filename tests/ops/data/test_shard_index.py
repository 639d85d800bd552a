"""The index of shards finds the file of any tensor, and is made anew for another table."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from ops.data.latents import INDEX
from ops.data.shard_index import ShardIndex
from ops.runtime import tables


def test_it_finds_the_shard_of_every_name(tmp_path: Path) -> None:
    path = tmp_path / "index.parquet"
    wanted = {f"{(7 * number) % 50:04x}": f"b_{number // 8:05d}.safetensors" for number in range(50)}
    tables.write(path, [{"sample_id": name, "shard": shard} for name, shard in wanted.items()], INDEX)
    for index in (ShardIndex(path, "sample_id"), pickle.loads(pickle.dumps(ShardIndex(path, "sample_id")))):
        assert dict(index) == wanted
        assert list(index) == sorted(wanted)
        assert "0032x" not in index
        assert "" not in index
    with pytest.raises(KeyError, match=r"index\.parquet has no sample_id nobody"):
        index["nobody"]

    tables.write(path, [{"sample_id": "0001", "shard": "other"}], INDEX)
    assert dict(ShardIndex(path, "sample_id")) == {"0001": "other"}
    tables.write(path, [], INDEX)
    assert dict(ShardIndex(path, "sample_id")) == {}
