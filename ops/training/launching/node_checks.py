"""What a launch needs of its nodes: programs, a hostfile, a port, and ranks that find each other.

Each check gives the obstacles that it finds, with the remedy of each; none of them changes anything.
"""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ops.config import ConfigError, Launch
from ops.training.launching.hostfile import nodes, silent
from ops.training.launching.launch import Command, LaunchError, LaunchSpec, argv, environment, run, write_exports
from ops.training.launching.probe import MODULE, Answer, Question

PROGRAMS: dict[str, tuple[str, ...]] = {
    "torchrun": (),
    "env": (),
    "slurm": ("srun", "sinfo"),
    "pdsh": ("pdsh", "ssh"),
    "openmpi": ("mpirun", "ompi_info"),
}
NO_HOSTFILE = ("torchrun", "env")
SECONDS_TO_MEET = 120.0
SECONDS_TO_START = 180.0


class Obstacle(NamedTuple):
    about: str
    what: str
    remedy: str


def programs(launch: Launch) -> Iterator[Obstacle]:
    for name in PROGRAMS[launch.launcher]:
        if shutil.which(name) is None:
            yield Obstacle(
                "launcher",
                f"{name} is not on PATH, and launcher '{launch.launcher}' starts ranks with it",
                f"install {name}, or set launch.launcher to one that is here",
            )


def hostfile(launch: Launch, root: Path) -> Iterator[Obstacle]:
    """Whether it is there, fits the launch, and its nodes answer."""
    if launch.launcher in NO_HOSTFILE:
        return
    example = f"one line 'HOSTNAME slots={launch.ranks_per_node}' for each of {launch.nodes} node(s)"
    if not launch.hostfile:
        yield Obstacle("hostfile", "launch.hostfile is not set", f"write a file with {example} and name it there")
        return
    try:
        missing = silent(root / launch.hostfile, launch)
    except ConfigError as error:
        yield Obstacle("hostfile", str(error), f"it needs {example}")
        return
    for name, why in missing.items():
        what = f"{root / launch.hostfile}: no answer from {name} ({why})"
        yield Obstacle("hostfile", what, "see that its name is right and that it is up")


def port(launch: Launch, root: Path) -> Iterator[Obstacle]:
    """Whether the port at which ranks meet is free, where the first of them is on this machine. torchrun takes any that
    is free."""
    if launch.launcher in NO_HOSTFILE or not launch.hostfile:
        return
    try:
        first, *_ = nodes(root / launch.hostfile, launch)
    except ConfigError:
        return  # told of the hostfile
    if first.name.split(".")[0] not in ("localhost", socket.gethostname().split(".")[0]):
        return
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", launch.port))
        except OSError as error:
            yield Obstacle(
                "port",
                f"port {launch.port}, at which ranks meet, cannot be had: {error}",
                "end what listens there (`ss -ltnp` names it), or set launch.port",
            )


def meeting(launch: Launch, root: Path, folder: Path) -> Iterator[Obstacle]:
    """Start the ranks as a training would, and have them add up one number; what they say of their nodes is compared.

    `folder` is written to, and has to be seen by all nodes.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    named = root / launch.hostfile if launch.hostfile else None
    question = Question(accelerator=launch.accelerator, hostfile=named, seconds=SECONDS_TO_MEET)
    (folder / "probe.json").write_text(question.model_dump_json(), encoding="utf-8")
    settings = launch.model_copy(update={"hostfile": str(named) if named else None})
    command = Command(
        argv=argv(LaunchSpec(MODULE, folder / "probe.json", settings)),
        environment=environment(settings, root),
        logs=folder,
        heartbeat=folder / "heartbeat",
        heartbeat_seconds=SECONDS_TO_START,
    )
    if settings.launcher not in NO_HOSTFILE:
        command = write_exports(folder / "exports.env", command)
    try:
        run(command)
    except LaunchError as error:
        yield Obstacle("ranks", f"they do not find each other: {error}", f"see the logs in {folder}")
        return
    yield from differences(launch, answers(folder))


def answers(folder: Path) -> list[Answer]:
    files = sorted(folder.glob("rank*.json"))
    return [Answer.model_validate(json.loads(file.read_text(encoding="utf-8"))) for file in files]


def differences(launch: Launch, found: list[Answer]) -> Iterator[Obstacle]:
    """What ranks say that does not go together."""
    wanted = launch.nodes * launch.ranks_per_node
    if len(found) != wanted or any(each.total != wanted for each in found):
        totals = sorted({each.total for each in found})
        yield Obstacle(
            "ranks",
            f"{len(found)} of {wanted} ranks answered, and counted {totals}",
            "put the project on a disk that all nodes see, and look at the hostfile",
        )
    for what, values, remedy in (
        ("commits", {each.host: each.commit for each in found}, "check the same one out on all nodes"),
        ("packages", {each.host: each.packages for each in found}, "pip install -r requirements.lock on all nodes"),
    ):
        if len(set(values.values())) > 1:
            told = ", ".join(f"{host}: {value[:12]}" for host, value in sorted(values.items()))
            yield Obstacle("nodes", f"they have different {what} ({told})", remedy)
