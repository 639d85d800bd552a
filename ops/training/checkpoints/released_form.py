"""The released form of a model, written by several ranks: each has a file of whole tensors, and none has all of them.

It is the layout in which diffusers lays large models: files in parts, and an index that says what is in which. A model
that is small is one file, of the first rank. Of a model with adapters these alone are written, as peft lays them.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path

from torch import Tensor, nn

from models import adapters, released
from models.tensor_file import save_tensors
from ops.training.checkpoints.copying import copied
from ops.training.checkpoints.store import Files
from ops.training.launching.ranks import Ranks

SMALLEST_PART = 2**28
"""Bytes, in float32: it takes another writer for each so many."""
INDEX_FILE = f"{released.WEIGHTS_FILE}.index.json"


@dataclass(frozen=True)
class _Form:
    """How a model is laid out: our key → its name in a file, what lies beside it, and the names of the files."""

    names: Mapping[str, str]
    config: Mapping[str, object]
    weights_file: str = released.WEIGHTS_FILE
    config_file: str = released.CONFIG_FILE
    constants: Mapping[str, Tensor] = field(default_factory=dict)

    @classmethod
    def of(cls, shape: nn.Module) -> _Form:
        if adapters.adapters_of(shape):
            config = adapters.config_of(shape)
            return cls(adapters.names_of(shape), config, adapters.WEIGHTS_FILE, adapters.CONFIG_FILE)
        return cls(released.names_of(shape), released.config_of(shape), constants=released.constants_of(shape))


def writers(shape: nn.Module, world_size: int) -> dict[str, int]:
    """The rank that writes each entry of a model's state dict, by our key. Each writes neighbouring entries, all about
    as many bytes; they are spread over the ranks, and so over the nodes. `shape` may be without content."""
    own, names = shape.state_dict(), _Form.of(shape).names
    sizes = [4 * own[key].numel() for key in names]
    parts = min(world_size, max(1, sum(sizes) // SMALLEST_PART))
    before = [0, *accumulate(sizes)]
    part_of = [start * parts // max(1, sum(sizes)) for start in before[:-1]]
    return {key: part * world_size // parts for key, part in zip(names, part_of, strict=True)}


def files(folder: str, entries: Iterable[tuple[str, Tensor]], shape: nn.Module, ranks: Ranks) -> Files:
    """What this rank writes of a model into `folder` of a checkpoint, copied. `entries` is the model's state dict, a
    tensor at a time, of which it keeps its own; `shape` is one of the same shape, perhaps without content."""
    form, writer_of = _Form.of(shape), writers(shape, ranks.world_size)
    names, constants = form.names, form.constants
    tensors = {names[key]: copied(value).contiguous() for key, value in entries if writer_of.get(key) == ranks.rank}
    if ranks.first:
        dtype = next(iter(tensors.values())).dtype
        tensors |= {key: value.to("cpu", dtype) for key, value in constants.items()}
    where = _file_names(writer_of, form.weights_file)
    made: Files = {}
    if tensors:
        made[f"{folder}/{where[ranks.rank]}"] = lambda file: save_tensors(tensors, file, metadata={"format": "pt"})
    if ranks.first:
        config = json.dumps(form.config, indent=2) + "\n"
        made[f"{folder}/{form.config_file}"] = lambda file: file.write_text(config, encoding="utf-8")
    if ranks.first and len(where) > 1:
        parts = {names[key]: where[rank] for key, rank in writer_of.items()} | dict.fromkeys(constants, where[0])
        index = _index(parts, shape, tensors)
        made[f"{folder}/{INDEX_FILE}"] = lambda file: file.write_text(index, encoding="utf-8")
    return made


def read(folder: Path, shape: nn.Module) -> nn.Module:
    """What was so written of a model of this shape, in it: adapters are laid upon the weights that the shape has."""
    if not adapters.adapters_of(shape):
        return released.from_pretrained(folder)
    own, tensors = shape.state_dict(), adapters.read_adapter(folder).tensors
    model = copy.deepcopy(shape, {id(parameter): parameter for parameter in shape.parameters()})
    state = {key: tensors[name] for key, name in adapters.names_of(shape).items()}
    model.load_state_dict({**own, **state}, assign=True)
    return model


def _file_names(writer_of: Mapping[str, int], weights_file: str) -> dict[int, str]:
    """The file of each rank that writes one, as diffusers numbers them."""
    ranks = sorted(set(writer_of.values()))
    if len(ranks) == 1:
        return {ranks[0]: weights_file}
    name = Path(weights_file)
    return {
        rank: f"{name.stem}-{number:05d}-of-{len(ranks):05d}{name.suffix}" for number, rank in enumerate(ranks, start=1)
    }


def _index(parts: Mapping[str, str], shape: nn.Module, tensors: Mapping[str, Tensor]) -> str:
    each = next(iter(tensors.values())).element_size()
    total = each * sum(value.numel() for value in shape.state_dict().values())
    return json.dumps({"metadata": {"total_size": total}, "weight_map": dict(sorted(parts.items()))}, indent=2) + "\n"
