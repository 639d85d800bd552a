"""Stand-ins of `srun`, `pdsh`, `ssh` and `mpirun`: they run on this machine what the real ones would run on nodes.

`stand_ins.py FOLDER NAME ARGUMENT…` is NAME. A node is a process group, whose id lies in `FOLDER/HOST.group` while it
is up; whoever kills the group kills the node. `FOLDER/down` lists hosts that do not answer, `FOLDER/allocation` those
that Slurm has given. What reaches a node is what the real program would bring there: of the environment all under
Slurm, and otherwise a login's and what is exported.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

LOGIN = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
GRACE = 5.0


class Cluster:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.home.mkdir(exist_ok=True)
        self.up: dict[str, subprocess.Popen[bytes]] = {}

    def login(self, exports: Mapping[str, str]) -> dict[str, str]:
        return {**LOGIN, "HOME": str(self.home), **exports}

    def answers(self, host: str) -> bool:
        down = self.folder / "down"
        return not down.is_file() or host not in down.read_text(encoding="utf-8").split()

    def start(self, host: str, command: Sequence[str], environment: Mapping[str, str], cwd: Path) -> None:
        process = subprocess.Popen(command, env=dict(environment), cwd=cwd, start_new_session=True)
        self.up[host] = process
        (self.folder / f"{host}.group").write_text(str(process.pid), encoding="utf-8")

    def wait(self, on_failure: Callable[[], None]) -> int:
        """The largest exit status; a node that was killed has 255, as ssh would say."""
        statuses: dict[str, int] = {}
        while len(statuses) < len(self.up):
            for host, process in self.up.items():
                if host not in statuses and process.poll() is not None:
                    statuses[host] = process.returncode if process.returncode >= 0 else 255
                    if statuses[host]:
                        print(f"{host}: exited with exit code {statuses[host]}", file=sys.stderr, flush=True)
                        on_failure()
            time.sleep(0.05)
        return max(statuses.values())

    def end(self) -> None:
        for number in (signal.SIGTERM, signal.SIGKILL):
            for process in self.up.values():
                if process.poll() is None:
                    os.killpg(process.pid, number)
            deadline = time.monotonic() + GRACE
            while time.monotonic() < deadline and any(process.poll() is None for process in self.up.values()):
                time.sleep(0.05)

    def run_tasks(
        self,
        hosts: Sequence[tuple[str, int]],
        names: Sequence[str],
        command: Sequence[str],
        environment: Mapping[str, str],
    ) -> int:
        """So many tasks on each host, which die together."""
        first, total = 0, sum(count for _, count in hosts)
        signal.signal(signal.SIGTERM, lambda *_: self.end())
        for host, count in hosts:
            told = json.dumps({"first": first, "count": count, "total": total, "names": names, "command": command})
            self.start(host, [sys.executable, __file__, str(self.folder), "tasks", told], environment, Path.cwd())
            first += count
        return self.wait(self.end)


def srun(cluster: Cluster, arguments: list[str]) -> int:
    options: dict[str, str] = {}
    while arguments[0].startswith("-"):
        name, equals, value = arguments.pop(0).partition("=")
        options[name] = value if equals else arguments.pop(0)
    assert options["--kill-on-bad-exit"] == "1"
    _all, *exported = options["--export"].split(",")
    hosts = (cluster.folder / "allocation").read_text(encoding="utf-8").split()[: int(options["--nodes"])]
    each = int(options["-n"]) // len(hosts)
    assert options["--gpus-per-node"] == str(each)
    names = ("SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID")
    environment = {**os.environ, **dict(pair.split("=", 1) for pair in exported)}
    return cluster.run_tasks([(host, each) for host in hosts], names, arguments, environment)


def mpirun(cluster: Cluster, arguments: list[str]) -> int:
    exported: dict[str, str] = {}
    options: dict[str, str] = {}
    while arguments[0].startswith("-"):
        name = arguments.pop(0)
        value = arguments.pop(0)
        if name == "--mca":
            arguments.pop(0)
        elif name == "-x":
            exported.update([value.split("=", 1)])
        else:
            options[name] = value
    lines = Path(options["-hostfile"]).read_text(encoding="utf-8").splitlines()
    hosts = [(line.split()[0], int(line.split("slots=")[1])) for line in lines]
    assert sum(count for _, count in hosts) == int(options["-n"])
    names = ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK")
    return cluster.run_tasks(hosts, names, arguments, cluster.login(exported))


def pdsh(cluster: Cluster, arguments: list[str]) -> int:
    """It does not stop the other nodes when one fails, and leaves those that it started when it is ended."""
    assert arguments[:4] == ["-S", "-f", "1024", "-w"]
    hosts, command = arguments[4].split(","), " ".join(arguments[5:])
    if command.startswith("pkill -f "):  # of the nodes' own processes, not of this machine's
        for host in hosts:
            try:
                os.killpg(int((cluster.folder / f"{host}.group").read_text(encoding="utf-8")), signal.SIGTERM)
            except ProcessLookupError:
                continue
        return 0
    for number, host in enumerate(hosts):
        line = command.replace("%n", str(number))
        cluster.start(host, ["sh", "-c", line], cluster.login({}), cluster.home)
    return cluster.wait(lambda: None)


def ssh(cluster: Cluster, arguments: list[str]) -> int:
    while arguments[0].startswith("-"):
        del arguments[:2]
    host, *command = arguments
    if not cluster.answers(host):
        print(f"ssh: connect to host {host} port 22: No route to host", file=sys.stderr)
        return 255
    if command == ["hostname", "-I"]:
        print(host)
        return 0
    return subprocess.run(command, env=cluster.login({}), cwd=cluster.home, check=False).returncode


def tasks(cluster: Cluster, arguments: list[str]) -> int:
    """What runs on a node under Slurm and OpenMPI: it starts the node's tasks, and dies with who started it."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    told = json.loads(arguments[0])
    running = []
    for local in range(told["count"]):
        place = dict(zip(told["names"], map(str, (told["first"] + local, told["total"], local)), strict=True))
        running.append(subprocess.Popen(told["command"], env={**os.environ, **place}))
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the tasks hear it themselves, for they are of the group
    while all(process.poll() is None for process in running):
        time.sleep(0.05)
    if failed := [process for process in running if process.returncode]:  # the first; who started this ends the rest
        return abs(failed[0].returncode)
    return max(abs(process.wait()) for process in running)


def installed(*_: object) -> int:
    return 0


if __name__ == "__main__":
    programs = {"srun": srun, "mpirun": mpirun, "pdsh": pdsh, "ssh": ssh, "tasks": tasks}
    folder, name, *rest = sys.argv[1:]
    sys.exit(programs.get(name, installed)(Cluster(Path(folder)), rest))
