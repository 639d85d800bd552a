"""Jobs of two nodes with two ranks each, through DeepSpeed's launchers and stand-ins of what these call."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from ops.config import ConfigError, Launch
from ops.training.launching import hostfile
from ops.training.launching.hostfile import NodesNotReached
from ops.training.launching.launch import Command, LaunchError, LaunchSpec, argv, environment, run, write_exports
from ops.training.recording.metrics_file import read

STAND_INS = Path(__file__).with_name("stand_ins.py")
HOSTS = ("127.0.0.1", "127.0.0.2")
LAUNCHERS = ("slurm", "pdsh", "openmpi")


@dataclass
class Nodes:
    """Two of them, on loopback."""

    folder: Path
    port: int

    @property
    def hostfile(self) -> Path:
        return self.folder / "hostfile"

    def launch(self, launcher: str) -> dict[str, Any]:
        return {
            **{"launcher": launcher, "nodes": 2, "ranks_per_node": 2, "accelerator": "cpu", "port": self.port},
            **{"hostfile": str(self.hostfile), "deepspeed": "configs/deepspeed/zero1_cpu.json"},
        }

    def group(self, host: str) -> int:
        return int((self.folder / f"{host}.group").read_text(encoding="utf-8"))

    def left(self) -> list[str]:
        """The hosts on which something still runs."""
        return [host for host in HOSTS if _alive(self.group(host))]


def _alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture
def nodes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Nodes:
    folder = tmp_path / "cluster"
    programs = folder / "bin"
    programs.mkdir(parents=True)
    for name in ("srun", "sinfo", "pdsh", "ssh", "mpirun", "ompi_info"):
        (programs / name).write_text(f'#!/bin/sh\nexec {sys.executable} {STAND_INS} {folder} {name} "$@"\n')
        (programs / name).chmod(0o755)
    (folder / "allocation").write_text("\n".join(HOSTS))
    (folder / "hostfile").write_text("".join(f"{host} slots=2\n" for host in HOSTS))
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return Nodes(folder, free.getsockname()[1])


def met(nodes: Nodes, launcher: str) -> list[dict[str, Any]]:
    """What the ranks of a small job saw, in their order."""
    launch = Launch(**nodes.launch(launcher))
    spec = LaunchSpec("tests.ops.training.launching.seen_from_a_rank", nodes.folder / "job.json", launch)
    reached = environment(launch, nodes.folder / "a project")
    command = Command(argv(spec), reached, nodes.folder / "logs", nodes.folder / "beat", 120)
    run(write_exports(nodes.folder / "exports.env", command))
    return [json.loads((nodes.folder / f"seen_by_{rank}.json").read_text(encoding="utf-8")) for rank in range(4)]


@pytest.mark.dist
@pytest.mark.parametrize(
    "launcher", ["slurm", *(pytest.param(name, marks=pytest.mark.slow) for name in ("pdsh", "openmpi"))]
)
def test_ranks_of_two_nodes_meet_where_they_were_started_from(nodes: Nodes, launcher: str, monkeypatch: Any) -> None:
    monkeypatch.chdir(nodes.folder)
    seen = met(nodes, launcher)
    assert [each["met"] for each in seen] == [15.0] * 4
    assert [each["local_rank"] for each in seen] == [0, 1, 0, 1]
    for each in seen:
        assert each["cwd"] == str(nodes.folder)
        assert each["environment"]["DS_ACCELERATOR"] == "cpu"
        assert each["environment"]["OMP_NUM_THREADS"] == "1"
        assert each["environment"]["MASTER_PORT"] == str(nodes.port)
        assert each["environment"]["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "2"
    assert nodes.left() == []


@pytest.mark.slow
@pytest.mark.dist
@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_a_training_outlives_the_death_of_a_node(
    launcher: str, nodes: Nodes, make_lab: Callable, tmp_path: Path
) -> None:
    lab = make_lab(tmp_path / "lab").with_launch(**nodes.launch(launcher))
    recipe = lab.project.root / "params.yaml"
    changed = yaml.safe_load(recipe.read_text(encoding="utf-8"))
    changed["stages"][0]["schedule"] |= {"batch_size": 4}
    recipe.write_text(yaml.safe_dump(changed), encoding="utf-8")
    lab = type(lab)(type(lab.project)(lab.project.root))
    killer = threading.Thread(target=kill_second_node, args=(lab, nodes))
    killer.start()
    # Under Slurm and OpenMPI the other ranks are ended before they could complain; then the launcher's log says why.
    told = r"the training job ended with exit code \d+\. The end of .*(rank[01]|launcher)\.log"
    with pytest.raises(LaunchError, match=told):
        lab.train("denoiser_joint")
    killer.join()
    (folder,) = lab.project.artifacts.glob("denoiser_joint/*")
    assert nodes.left() == []
    assert {path.name for path in (folder / "logs").glob("rank*.log")} == {f"rank{rank}.log" for rank in range(4)}
    assert lab.status_of(folder) in ("FAILED", "KILLED")

    artifact = lab.train("denoiser_joint")
    assert artifact.results.steps == 20
    assert "resuming after step " in (folder / "logs" / "rank0.log").read_text(encoding="utf-8")
    assert [line["step"] for line in read(folder / "metrics.jsonl")] == list(range(21))
    assert lab.status_of(folder) == "FINISHED"
    assert nodes.left() == []
    beat = json.loads((lab.project.var / "progress" / "denoiser_joint.json").read_text(encoding="utf-8"))
    assert beat["done"] == 20


def kill_second_node(lab: Any, nodes: Nodes) -> None:
    """All of it at once, when a checkpoint is complete and steps were made since."""
    deadline = time.monotonic() + 400
    while time.monotonic() < deadline:
        for path in lab.project.artifacts.glob("denoiser_joint/*/metrics.jsonl"):
            last = max((line["step"] for line in read(path)), default=0)
            if last > 6 and list(path.parent.glob("checkpoints/step_*/COMPLETE")):
                os.killpg(nodes.group(HOSTS[1]), 9)
                return
        time.sleep(0.02)


@pytest.mark.slow
@pytest.mark.dist
def test_a_scheduler_of_your_own_starts_every_rank(make_lab: Callable, tmp_path: Path) -> None:
    launch = {"launcher": "env", "nodes": 2, "ranks_per_node": 1, "accelerator": "cpu"}
    lab = make_lab(tmp_path / "lab").with_launch(**launch, deepspeed="configs/deepspeed/zero1_cpu.json")
    ranks = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "SORAFLOW_PROJECT": str(lab.project.root)}
    environment |= {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    subprocess.run([*ranks, "-m", "ops.training", "denoiser_joint"], env=environment, check=True)

    def refuse(command: Command) -> None:
        raise AssertionError("it was started again")

    artifact = lab.train("denoiser_joint", refuse)
    assert artifact.results.steps == 20
    assert {path.name for path in (artifact.folder / "logs").glob("rank*.log")} == {"rank0.log", "rank1.log"}
    assert lab.status_of(artifact.folder) == "FINISHED"


def test_a_dead_node_is_named_before_anything_starts(nodes: Nodes, make_lab: Callable, tmp_path: Path) -> None:
    (nodes.folder / "down").write_text(HOSTS[1])
    lab = make_lab(tmp_path / "lab").with_launch(**nodes.launch("pdsh"))
    stage = lab.project.settings.stages[0].model_dump(mode="json", exclude={"kind"})
    lab = lab.change("stages", [{**stage, "schedule": {**stage["schedule"], "batch_size": 4}}])
    started: list[Command] = []
    with pytest.raises(
        NodesNotReached, match=r"no answer from 127\.0\.0\.2 \(ssh: .*No route to host\); take what is down out"
    ):
        lab.train("denoiser_joint", started.append)
    assert not started


def test_a_host_that_the_network_does_not_know_is_named(tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text("127.0.0.1 slots=2\nnode-that-is.invalid slots=2\n")
    launch = Launch(launcher="slurm", nodes=2, ranks_per_node=2)
    with pytest.raises(NodesNotReached, match=r"no answer from node-that-is\.invalid \("):
        hostfile.require_answers(tmp_path / "hosts", launch)
    hostfile.require_answers(tmp_path / "hosts", launch.model_copy(update={"nodes": 1}))


@pytest.mark.parametrize(
    ("content", "changed", "words"),
    [
        ("a slots=2\nb\n", {}, "line 2: 'b' is not 'HOSTNAME slots=NUMBER'"),
        ("a slots=2\n\na slots=2", {}, "line 3: a is there already"),
        ("# none\n", {}, "names no host"),
        ("a slots=2\n", {}, r"launch\.nodes is 2, but .* names 1 host"),
        ("a slots=2\nb slots=1\n", {}, r"b has 1 slots, but launch\.ranks_per_node is 2"),
        ("a slots=2\nb slots=4\n", {"launcher": "openmpi"}, "b has 4 slots"),
        ("a slots=2\nb slots=2\nc slots=2", {"launcher": "openmpi"}, "names 3 hosts, and OpenMPI takes every one"),
    ],
)
def test_a_hostfile_that_cannot_be_meant_is_refused(tmp_path: Path, content: str, changed: Any, words: str) -> None:
    (tmp_path / "hosts").write_text(content)
    with pytest.raises(ConfigError, match=words):
        hostfile.nodes(tmp_path / "hosts", Launch(**{"launcher": "slurm", "nodes": 2, "ranks_per_node": 2, **changed}))
