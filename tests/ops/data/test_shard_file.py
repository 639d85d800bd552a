"""A shard read at the places of its tensors holds what safetensors reads of it, in as few reads as can be."""

from __future__ import annotations

import json
import os
import struct
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from ops.data import tensor_shards
from ops.data.shard_file import DamagedShard, ShardFile
from ops.data.tensor_shards import Shards


@pytest.fixture(params=[torch.float32, torch.bfloat16])
def path(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    tensors = {f"{name}.{part}": torch.randn(2, 3, 5).to(request.param) for name in "cab" for part in ("mean", "rest")}
    tensors["a.scalar"] = torch.tensor(3.0).to(request.param)
    tensors["none"] = torch.empty(0, 4).to(request.param)
    tensor_shards.write(tmp_path / "one", tensors, {"said": "so"})
    return tmp_path / "one"


def test_it_reads_what_the_library_reads(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted, reads, preadv = load_file(path), [], os.preadv
    file = ShardFile(path)
    monkeypatch.setattr(os, "preadv", lambda *arguments: [count := preadv(*arguments), reads.append(count)][0])
    for names in (["a.mean", "a.rest"], ["b.rest", "b.mean"], ["c.mean"], ["c.mean", "a.mean"], ["none"], ["a.scalar"]):
        reads.clear()
        for name, found in zip(names, file.get(names), strict=True):
            assert torch.equal(found, wanted[name])
            assert found.dtype == wanted[name].dtype
        size = sum(wanted[name].nbytes for name in names)
        assert sum(reads) == size, "not a byte more"
        assert len(reads) == (2 if names == ["c.mean", "a.mean"] else min(size, 1))
    with pytest.raises(KeyError, match="nobody"):
        file.get(["nobody"])


def test_a_damaged_file_is_named(path: Path) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[:-4])
    file, lost = ShardFile(path), max(load_names(whole), key=load_names(whole).__getitem__)
    with pytest.raises(DamagedShard, match=r"one is damaged \(it ends before its tensors do\)"):
        file.get([lost])
    for content in (
        whole[:20],
        b"",
        struct.pack("<Q", 2**60),
        struct.pack("<Q", 2) + b"[]",
        struct.pack("<Q", 2) + b"{!",
    ):
        path.write_bytes(content)
        with pytest.raises(DamagedShard, match="one is damaged"):
            ShardFile(path)
    path.write_bytes(whole.replace(b'"F32"', b'"I32"').replace(b'"BF16"', b'"FP16"'))
    with pytest.raises(DamagedShard, match="only F32 and BF16 are written here"):
        ShardFile(path)


def test_threads_may_read_what_is_closed_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tensor_shards, "OPEN", 1)
    for number in range(4):
        tensor_shards.write(tmp_path / str(number), {"x": torch.full((1000,), float(number))})
    shards = Shards(tmp_path)
    asked = [number % 4 for number in range(400)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda number: shards.get(str(number), "x")[0].mean().item(), asked))
    assert found == asked
    assert len(shards._open) == 1


def load_names(content: bytes) -> dict[str, int]:
    """Where each tensor ends."""
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    return {name: told["data_offsets"][1] for name, told in header.items() if name not in ("__metadata__", "none")}
