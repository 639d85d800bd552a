import pickle
from pathlib import Path

import pytest
import torch

from ops.data import tensor_shards
from ops.data.tensor_shards import Shards


def test_items_lie_in_shards_of_a_fixed_size_in_order(tmp_path: Path) -> None:
    shards = list(tensor_shards.planned(tmp_path, "abcde", 2))
    assert [(path.name, list(part)) for path, part in shards] == [
        ("shard_00000.safetensors", ["a", "b"]),
        ("shard_00001.safetensors", ["c", "d"]),
        ("shard_00002.safetensors", ["e"]),
    ]


def test_tensors_are_read_by_name_also_in_another_process(tmp_path: Path) -> None:
    tensor_shards.write(tmp_path / "one", {"x": torch.ones(2)}, {"said": "so"})
    tensor_shards.write(tmp_path / "two", {"x": torch.zeros(2)})
    shards = Shards(tmp_path)
    assert shards.get("one", "x")[0].tolist() == [1, 1]
    sent = pickle.loads(pickle.dumps(shards))
    assert sent.get("two", "x")[0].tolist() == [0, 0]
    assert sent.folder == tmp_path


def test_a_shard_that_cannot_be_written_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="x"):
        tensor_shards.write(tmp_path / "one", {"x": "no tensor"})  # type: ignore[dict-item]
    assert list(tmp_path.iterdir()) == []
