"""How an engine's shards lie. DeepSpeed itself looks at the number of ranks alone, and reads others wrongly or not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict

SUB_GROUP = 1_000_000_000
"""DeepSpeed's default of `sub_group_size`: so many numbers does ZeRO-3 step over at once."""


class ShardLayout(TypedDict):
    """What decides where in the shards a number lies: shards of another layout have to be converted."""

    world_size: int
    apart: bool
    """Whether weights are partitioned, as under ZeRO-3."""
    half: bool
    sub_group: int


def shard_layout(config: Mapping[str, Any], world_size: int) -> ShardLayout:
    """That of an engine with this DeepSpeed configuration."""
    zero = config["zero_optimization"]
    apart = zero["stage"] == 3
    return {
        "world_size": world_size,
        "apart": apart,
        "half": bool(config.get("bf16", {}).get("enabled")),
        "sub_group": int(zero.get("sub_group_size", SUB_GROUP)) if apart else 0,
    }
