"""The `map` of ops/runtime/parallel.py over a Ray cluster.

Ray Data streams the items to actors and their results back. Beside each actor runs a worker process as the local pool
has them (ops/runtime/workers.py): it keeps what it loaded from item to item, and can be killed. So what crashes, hangs
or swells costs its own item only, and gives the same failure here as there. Ray itself has to deal with nothing but
lost nodes; the items that were on one are done again on another.
"""

from __future__ import annotations

import os
import pickle
import socket
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from types import ModuleType
from typing import TYPE_CHECKING, NamedTuple, TypedDict, TypeVar

from ops.config import ConfigError, Curation
from ops.runtime import workers
from ops.runtime.workers import Failure

if TYPE_CHECKING:
    from ray import ObjectRef
    from ray.actor import ActorHandle

Item = TypeVar("Item")
Result = TypeVar("Result")
MAX_STARTS = 4
"""How often an item is begun; each time but the first, the node (or the actor) that had it was lost."""
AT_ONCE = 50_000
"""Items that Ray Data is handed together. Each costs it a millisecond and some 30 kB before the first one begins; all
workers are waited for before the next lot."""
SECONDS_TO_ANSWER = 20.0
"""That the head of a cluster has."""

_LOST = Failure(f"the Ray node that had it was lost {MAX_STARTS} times", "crashed")


class Resources(NamedTuple):
    """What one worker has to find on its node, beside one core."""

    memory_gib: float
    accelerator: bool = False
    """Takes a whole GPU or NPU; where the cluster has none, the work is done on the core."""


class _Order(TypedDict):
    """A row on its way to an actor; the item is pickled."""

    index: int
    item: bytes


class _Answer(TypedDict):
    """And back; the result is pickled."""

    index: int
    result: bytes


class _Broken(NamedTuple):
    """An error of the step and not of an item: no worker can load the function."""

    message: str


def run(
    function: Callable[[Item], Result], items: Sequence[Item], curation: Curation, resources: Resources
) -> Iterator[tuple[Item, Result | Failure]]:
    """Yield (item, result) as they are done, while others run.

    An actor is given its next item when it has finished the one before, and waits while its results are not fetched.
    Items, results and the function travel pickled, inside our own cluster.

    Raises:
        ConfigError: Ray is not installed or not there, or none of its nodes has what a worker needs.
        RuntimeError: a worker process ended before it was given any work.
    """
    if not items:
        return
    ray = _connected(curation)
    for first in range(0, len(items), AT_ONCE):
        yield from _streamed(ray, function, items[first : first + AT_ONCE], curation, resources)


def _streamed(
    ray: ModuleType, function: Callable[[Item], Result], items: Sequence[Item], curation: Curation, resources: Resources
) -> Iterator[tuple[Item, Result | Failure]]:
    places, demands = _placement(ray, resources)
    most = min(len(items), curation.workers or len(items))
    compute = ray.data.ActorPoolStrategy(
        min_size=1,
        max_size=most,  # more than `places` only if nodes come later
        initial_size=min(places, most),
        max_tasks_in_flight_per_actor=1,
    )
    limits = workers.Limits(curation.time_limit_seconds, curation.memory_limit_gib)
    settings = {name: value for name, value in os.environ.items() if name.startswith("SORAFLOW_")}
    rows = [{"index": index, "item": pickle.dumps(item)} for index, item in enumerate(items)]
    results = ray.data.from_items(rows, override_num_blocks=len(rows)).map(
        _Actor,
        fn_constructor_args=(pickle.dumps(function), limits, settings, _start_counter(ray)),
        compute=compute,
        **demands,
    )
    context = results.context
    context.enable_progress_bars = False
    # one item at a time keeps an actor fully busy; Ray's own threshold of 1.75 would never use a node that comes later
    context.autoscaling_config = replace(context.autoscaling_config, actor_pool_util_upscaling_threshold=1.0)
    # without looking ahead, which would hold a result back until the next one is there
    for block in results.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0):
        for row in block.to_pylist():
            result = pickle.loads(row["result"])
            if isinstance(result, _Broken):
                raise RuntimeError(result.message)
            yield items[row["index"]], result


class _Actor:
    """Lives on a node for as long as there is work; its worker process holds the models."""

    def __init__(
        self, function: bytes, limits: workers.Limits, settings: dict[str, str], starts: ActorHandle[_Starts]
    ) -> None:
        os.environ.update(settings)  # the node was started without them
        self._worker = workers.LastingWorker[_Packed, object](_Packed(function), 1, limits)
        self._starts = starts

    def __call__(self, row: _Order) -> _Answer:
        return {"index": row["index"], "result": pickle.dumps(self._result(row["index"], row["item"]))}

    def _result(self, index: int, item: bytes) -> object:
        import ray

        begun: ObjectRef[int] = self._starts.add.remote(index)
        if ray.get(begun) > MAX_STARTS:
            return _LOST
        try:
            return self._worker.result(_Packed(item))
        except RuntimeError as error:
            return _Broken(str(error))


class _Packed:
    """Something pickled that comes out in the worker process. The actor never loads it, nor what it imports."""

    def __init__(self, pickled: bytes) -> None:
        self._pickled = pickled

    def __reduce__(self) -> tuple[Callable[[bytes], object], tuple[bytes]]:
        return pickle.loads, (self._pickled,)


class _Starts:
    """Counts how often each item was begun. Ray's own count of retries includes calls to a node that is gone."""

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()

    def add(self, index: int) -> int:
        self._counts[index] += 1
        return self._counts[index]


def _start_counter(ray: ModuleType) -> ActorHandle[_Starts]:
    """On the node of this process, which a run cannot do without anyway."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    starts: ActorHandle[_Starts] = ray.remote(_Starts).options(num_cpus=0, scheduling_strategy=here).remote()
    return starts


def _connected(curation: Curation) -> ModuleType:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray would report to its makers
    try:
        import ray.data
    except ImportError as error:
        raise ConfigError(
            f"curation.engine is 'ray', but it cannot be imported ({error}): "
            "pip install -c requirements.lock -e '.[ray]', or set curation.engine=pool"
        ) from error
    if not ray.is_initialized():
        _demand_answer(curation.ray_address or os.environ.get("RAY_ADDRESS") or "")
        ray.init(address=curation.ray_address, log_to_driver=False)
    return ray


def _demand_answer(address: str) -> None:
    """Ray itself tries for ten minutes and then ends the process without a word."""
    host, _, port = address.rpartition(":")
    if not port.isdecimal() or "/" in host:  # another way of naming a cluster, such as `auto`
        return
    try:
        socket.create_connection((host, int(port)), timeout=SECONDS_TO_ANSWER).close()
    except OSError as error:
        raise ConfigError(
            f"curation.ray_address (or RAY_ADDRESS): no Ray cluster answers at {address}: {error}; "
            "start its head with `ray start --head`, or name the address that this prints"
        ) from error


def _placement(ray: ModuleType, resources: Resources) -> tuple[int, dict[str, object]]:
    """How many workers the nodes of now have room for, and what Ray is asked for each of them."""
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    device = next((name for name in ("GPU", "NPU") if any(node.get(name) for node in nodes)), None)
    demand = {"CPU": 1.0, "memory": resources.memory_gib * 2**30}
    if resources.accelerator and device:
        demand[device] = 1.0
    places = sum(int(min(node.get(name, 0) // amount for name, amount in demand.items())) for node in nodes)
    if not places:
        has = "; ".join(f"{node.get('CPU', 0):g} cores, {node.get('memory', 0) / 2**30:.1f} GiB" for node in nodes)
        raise ConfigError(
            f"no node of the Ray cluster has room for a worker of 1 core and {resources.memory_gib:g} GiB "
            f"(curation.memory_limit_gib){f' and a {device}' if device in demand else ''}; the nodes offer: {has}"
        )
    arguments: dict[str, object] = {"num_cpus": 1, "memory": demand["memory"]}
    if "GPU" in demand:
        arguments["num_gpus"] = 1
    if "NPU" in demand:
        arguments["resources"] = {"NPU": 1}
    return places, arguments
