"""How an engine's shards lie. DeepSpeed itself looks at the number of ranks alone, and reads others wrongly or not."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from ops.training.loop.engine_config import EngineConfig


class ShardLayout(TypedDict):
    """What decides where in the shards a number lies: shards of another layout have to be converted."""

    world_size: int
    apart: bool
    """Whether weights are partitioned, as under ZeRO-3."""
    half: bool
    sub_group: int


def shard_layout(config: EngineConfig, world_size: int) -> ShardLayout:
    """That of an engine with this DeepSpeed configuration."""
    apart = config.stage == 3
    return {
        "world_size": world_size,
        "apart": apart,
        "half": config.precision.itemsize == 2,
        "sub_group": config.sub_group if apart else 0,
    }
