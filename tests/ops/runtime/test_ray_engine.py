"""The engine on a real cluster of two worker nodes, which are processes of this machine and can be killed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from ops.config import Aesthetics, ConfigError, Curation, TechnicalQuality
from ops.curation.measuring.one_pass import score_source
from ops.runtime import parallel, ray_engine
from ops.runtime.parallel import Failure, Resources
from ops.runtime.project import Project
from ops.steps import STEPS, step

pytest.importorskip("ray", reason="the extra `ray` is not installed")

WORKER_NODE = {"num_cpus": 1, "memory": 2 * 2**30, "object_store_memory": 80 * 2**20}
NOTICES_A_LOST_NODE_SOON = {"health_check_period_ms": 500, "health_check_failure_threshold": 3}


class TestCluster:
    """A head without cores, and worker nodes of one core each."""

    __test__ = False

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster

        head = {"num_cpus": 0, "object_store_memory": 80 * 2**20, "include_dashboard": False}
        head |= {"_system_config": NOTICES_A_LOST_NODE_SOON}
        self._cluster = Cluster(initialize_head=True, head_node_args=head)
        self.nodes = [self._cluster.add_node(**WORKER_NODE) for _ in range(2)]

    @property
    def address(self) -> str:
        return self._cluster.address

    def another_node(self) -> Any:
        """A worker node that is not the one by which this process is connected."""
        import ray

        ours = ray.get_runtime_context().get_node_id()
        return next(node for node in self.nodes if node.node_id != ours)

    def add_node(self, **more: int) -> Any:
        self.nodes.append(self._cluster.add_node(**WORKER_NODE, **more))
        return self.nodes[-1]

    def kill(self, node: Any) -> None:
        """With SIGKILL, so that it cannot say goodbye; its actors end with it."""
        self.nodes.remove(node)
        self._cluster.remove_node(node, allow_graceful=False)

    def close(self) -> None:
        import ray

        ray.shutdown()
        self._cluster.shutdown()


@pytest.fixture(scope="module")
def cluster() -> Iterator[TestCluster]:
    cluster = TestCluster()
    yield cluster
    cluster.close()


def settings(cluster: TestCluster, **changes: Any) -> Curation:
    return Curation(
        aesthetics=Aesthetics(scorer="colourfulness"),
        technical_quality=TechnicalQuality(scorer="niqe"),
        rules=(),
        **{"engine": "ray", "ray_address": cluster.address, "memory_limit_gib": 1.0, **changes},
    )


def raylet(node: Any) -> int:
    return node.all_processes["raylet"][0].process.pid


NODE_OF_WORKER = "__import__('psutil').Process().parent().ppid()"
"""An expression that a worker evaluates: the process of its node, which started its actor."""


def noted(log: Path, number: int, seconds: float) -> str:
    """An expression that adds a line `number node` to the log, and takes a while."""
    note = f"open({str(log)!r}, 'a').write('{number} %d\\n' % {NODE_OF_WORKER})"
    return f"({note}, __import__('time').sleep({seconds}), {number})[-1]"


def notes(log: Path) -> list[tuple[int, int]]:
    lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
    return [(int(number), int(node)) for number, node in (line.split() for line in lines)]


def test_what_goes_wrong_costs_its_own_item_and_gives_the_same_as_the_pool(
    cluster: TestCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In two lots."""
    monkeypatch.setattr(ray_engine, "AT_ONCE", 5)
    items = ["1 + 1", "int('x')", "__import__('os')._exit(3)", "__import__('time').sleep(600)", "10 ** (10 ** 9)"]
    items += ["len(bytes(4 * 2**30))", "memoryview(b'a')", "'last'"]
    limits = {"time_limit_seconds": 1.5, "memory_limit_gib": 1.0}
    over_ray = dict(parallel.map(eval, items, settings(cluster, **limits)))
    codes = {item: result.code for item, result in over_ray.items() if isinstance(result, Failure)}
    assert codes == dict(
        zip(items[1:-1], ["failed", "crashed", "too_slow", "too_slow", "out_of_memory", "failed"], strict=True)
    )
    assert over_ray == dict(parallel.map(eval, items, settings(cluster, **limits, engine="pool", workers=1)))


def test_an_error_of_the_step_ends_the_run(cluster: TestCluster) -> None:
    with pytest.raises(RuntimeError, match="a worker process ended with code 3 before it had any work"):
        list(parallel.map(_EndsItsReader(), [1, 2], settings(cluster)))


class _EndsItsReader:
    def __reduce__(self) -> tuple[object, tuple[int]]:
        return os._exit, (3,)

    def __call__(self, item: int) -> int:
        return item


def test_results_are_used_while_other_items_wait(cluster: TestCluster, tmp_path: Path) -> None:
    log = tmp_path / "log"
    results = parallel.map(eval, [noted(log, number, 0.4) for number in range(12)], settings(cluster))
    next(results)
    assert len(notes(log)) < 8
    assert {result for _, result in results} < set(range(12))
    begun = notes(log)
    assert sorted(number for number, _ in begun) == list(range(12))
    assert {node for _, node in begun} == {raylet(node) for node in cluster.nodes}


def test_a_worker_keeps_its_process_and_sees_our_environment(
    cluster: TestCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SORAFLOW_WEIGHTS", "/where/they/are")
    seen = "[__import__('os').getpid(), __import__('os').environ['SORAFLOW_WEIGHTS']]"
    items = [f"({number}, {seen})[1]" for number in range(8)]
    pids, places = zip(*(result for _, result in parallel.map(eval, items, settings(cluster))), strict=True)
    assert len(set(pids)) <= 2
    assert set(places) == {"/where/they/are"}


def test_work_goes_where_its_memory_and_its_accelerator_are(cluster: TestCluster) -> None:
    node = cluster.add_node(num_gpus=1)  # what Ray takes for one
    items = [f"({number}, {NODE_OF_WORKER}, __import__('os').environ['CUDA_VISIBLE_DEVICES'])" for number in range(4)]
    results = parallel.map(eval, items, settings(cluster), resources=Resources(0.5, accelerator=True))
    assert {result[1:] for _, result in results} == {(raylet(node), "0")}
    cluster.kill(node)
    until(lambda: not _has_gpu())
    with pytest.raises(ConfigError, match=r"1 core and 3 GiB .*memory_limit_gib.*1 cores, 2\.0 GiB"):
        list(parallel.map(eval, items, settings(cluster), resources=Resources(3.0)))


def _has_gpu() -> bool:
    import ray

    return "GPU" in ray.cluster_resources()


@pytest.mark.slow
def test_a_lost_node_costs_no_item_and_a_new_one_is_used(cluster: TestCluster, tmp_path: Path) -> None:
    """The node is killed while an item that is not done runs on it; none goes on before a new node is at work."""
    log, go = tmp_path / "log", tmp_path / "go"
    wait = f"list(iter(lambda: __import__('os').path.exists({str(go)!r}) or __import__('time').sleep(0.05), True))"
    items = [noted(log, number, 0.0) for number in range(4)]
    items += [f"({noted(log, number, 0.0)}, {wait})[0]" for number in range(4, 8)]
    results = parallel.map(eval, items, settings(cluster))
    found = dict([next(results)])
    lost = cluster.another_node()
    until(lambda: raylet(lost) in {node for number, node in notes(log) if number >= 4})
    cluster.kill(lost)
    new = cluster.add_node()
    until(lambda: raylet(new) in {node for _, node in notes(log)})
    go.touch()
    found |= dict(results)
    assert sorted(found.values()) == list(range(len(items)))
    begun = Counter(number for number, _ in notes(log))
    assert set(begun) == set(range(len(items)))
    assert sum(begun.values()) > len(items)


def until(happened: Callable[[], bool], seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.slow
def test_what_loses_every_node_that_it_comes_to_is_given_up(cluster: TestCluster) -> None:
    """It ends the process of its actor, as Ray's memory monitor does on a full node."""
    deadly = "(__import__('psutil').Process().parent().kill(), __import__('time').sleep(600))"
    results = dict(parallel.map(eval, [deadly, "'alive'"], settings(cluster)))
    assert results == {deadly: Failure("the Ray node that had it was lost 4 times", "crashed"), "'alive'": "alive"}


CURATION = [*STEPS][: [*STEPS].index("curated_clips") + 1]


@pytest.fixture
def curate(
    tmp_path: Path, checkout: Path, shared_weights: Path, videos: Any, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., dict[str, bytes]]:
    """Takes the same films through curation in a new project with these settings; gives the bytes of its tables."""
    monkeypatch.setenv("SORAFLOW_WEIGHTS", str(shared_weights))
    folder = tmp_path / "films"
    for number in range(5):
        videos.slow_pan(folder / f"pan{number}.mp4", seed=number, frames=30)
    videos.hard_cut(folder / "cut.mp4")
    videos.still(folder / "still.mp4")
    videos.truncated(folder / "truncated.mp4")
    rules: dict[str, Any] = {"shots": {"min_frames": 12, "short_side": 96}, "memory_limit_gib": 2.0}
    rules["rules"] = {"aesthetic": {"minimum": 5.0}, "technical": {"maximum": 200.0}}

    def curated(**changes: Any) -> dict[str, bytes]:
        root = tmp_path / str(len(list(tmp_path.iterdir())))
        shutil.copytree(checkout / "configs", root / "configs")
        sources = {"videos": str(folder), "images": None, "captions": None}
        recipe = {"preset": "tiny", "sources": sources, "curation": {**rules, **changes}}
        (root / "params.yaml").write_text(yaml.safe_dump(recipe))
        project = Project(root)
        for name in CURATION:
            step(name).load()(project)
        return {name: project.table(name).read_bytes() for name in CURATION}

    return curated


@pytest.mark.slow
def test_the_tables_are_those_of_the_pool_though_a_node_is_killed(
    cluster: TestCluster, curate: Callable[..., dict[str, bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The node goes while scores are made on it."""
    original = parallel.map
    killings: list[threading.Thread] = []

    def kill() -> None:
        lost = cluster.another_node()
        until(lambda: bool(workers_on(lost)))
        cluster.kill(lost)

    def kills(function: Any, items: Any, *rest: Any, **named: Any) -> Iterator[Any]:
        if function is score_source and not killings:
            killings.append(threading.Thread(target=kill))
            killings[0].start()
        yield from original(function, items, *rest, **named)

    before = len(cluster.nodes)
    of_pool = curate()
    monkeypatch.setattr(parallel, "map", kills)
    of_ray = curate(engine="ray", ray_address=cluster.address)
    killings[0].join()
    assert len(cluster.nodes) == before - 1
    assert {name for name in CURATION if of_ray[name] != of_pool[name]} == set()


def workers_on(node: Any) -> list[psutil.Process]:
    below = psutil.Process(raylet(node)).children(recursive=True)
    return [process for process in below if "spawn_main" in _command(process)]


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except (psutil.ZombieProcess, psutil.NoSuchProcess):
        return ""


def test_a_cluster_that_does_not_answer_is_an_error_that_names_it() -> None:
    """In a process of its own, for this one is connected."""
    code = (
        "from ops.config import *; from ops.runtime import parallel\n"
        "scorers = {'aesthetics': {'scorer': 'colourfulness'}, 'technical_quality': {'scorer': 'niqe'}, 'rules': ()}\n"
        "list(parallel.map(str, [1], Curation(engine='ray', ray_address='127.0.0.1:1', **scorers)))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert "no Ray cluster answers at 127.0.0.1:1: [Errno 111] Connection refused" in ended.stderr


@pytest.mark.costly
def test_without_ray_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    scorers = {"aesthetics": Aesthetics(scorer="colourfulness"), "technical_quality": TechnicalQuality(scorer="niqe")}
    curation = Curation(**scorers, rules=(), engine="ray")
    with pytest.raises(ConfigError, match=r"pip install -c requirements\.lock -e '\.\[ray\]'"):
        list(parallel.map(str, [1], curation))
