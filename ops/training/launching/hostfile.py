"""The nodes of a job: the file that lists them, and whether they answer."""

from __future__ import annotations

import re
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from ops.config import ConfigError, Launch

SECONDS_TO_ANSWER = 10
ASKED_AT_ONCE = 64
_LINE = re.compile(r"(\S+)\s+slots=(\d+)")


class NodesNotReached(RuntimeError):
    """Nodes of the hostfile that do not answer; the message names each, and why."""


@dataclass(frozen=True)
class Host:
    name: str
    slots: int


def hosts(path: Path) -> list[Host]:
    """Those that a hostfile lists, one line `HOSTNAME slots=8` each; what follows a # is passed over.

    Raises:
        ConfigError: naming the line that is not one, or names a host again.
    """
    if not path.is_file():
        raise ConfigError(f"launch.hostfile names {path}, which does not exist")
    found: dict[str, Host] = {}
    for number, text in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        line = text.partition("#")[0].strip()
        if not line:
            continue
        match = _LINE.fullmatch(line)
        if not match:
            raise ConfigError(f"launch.hostfile {path}, line {number}: {text!r} is not 'HOSTNAME slots=NUMBER'")
        if match[1] in found:
            raise ConfigError(f"launch.hostfile {path}, line {number}: {match[1]} is there already")
        found[match[1]] = Host(match[1], int(match[2]))
    if not found:
        raise ConfigError(f"launch.hostfile {path} names no host")
    return list(found.values())


def nodes(path: Path, launch: Launch) -> list[Host]:
    """The hosts on which a job runs.

    Raises:
        ConfigError: also where the file does not have what the launch asks for.
    """
    listed = hosts(path)
    if len(listed) < launch.nodes:
        raise ConfigError(f"launch.nodes is {launch.nodes}, but launch.hostfile {path} names {len(listed)} host(s)")
    if launch.launcher == "openmpi" and len(listed) > launch.nodes:  # it takes all that are there
        raise ConfigError(
            f"launch.nodes is {launch.nodes}, but launch.hostfile {path} names {len(listed)} hosts, and OpenMPI takes "
            "every one: remove those that are too many"
        )
    for host in listed[: launch.nodes]:
        few = host.slots < launch.ranks_per_node
        if few or (launch.launcher == "openmpi" and host.slots != launch.ranks_per_node):
            raise ConfigError(
                f"launch.hostfile {path}: {host.name} has {host.slots} slots, but launch.ranks_per_node is "
                f"{launch.ranks_per_node}"
            )
    return listed[: launch.nodes]


def silent(path: Path, launch: Launch) -> dict[str, str]:
    """Host → why it cannot be used, of those on which a job would run.

    Each is asked: under pdsh by ssh, as pdsh itself does; under Slurm and OpenMPI, which say by themselves what they
    cannot reach, whether the network knows the name.

    Raises:
        ConfigError: the hostfile is not right.
    """
    ask = _by_ssh if launch.launcher == "pdsh" else _by_name
    asked = [host.name for host in nodes(path, launch)]
    with ThreadPoolExecutor(ASKED_AT_ONCE) as pool:
        answers = list(pool.map(ask, asked))
    return {name: why for name, why in zip(asked, answers, strict=True) if why}


def require_answers(path: Path, launch: Launch) -> None:
    """Ask each node before a job is started there: a launcher waits for the missing ones as long as for slow ones.

    Raises:
        NodesNotReached: naming all that do not answer.
    """
    if missing := silent(path, launch):
        told = ", ".join(f"{name} ({why})" for name, why in missing.items())
        raise NodesNotReached(
            f"launch.hostfile {path}: no answer from {told}; take what is down out of the file, with launch.nodes "
            "lowered by as many or other hosts in its place, or bring it back"
        )


def _by_ssh(host: str) -> str | None:
    """Why a node cannot be used, or None."""
    options = ["-o", "BatchMode=yes", "-o", f"ConnectTimeout={SECONDS_TO_ANSWER}"]
    command = ["ssh", *options, host, "true"]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=2 * SECONDS_TO_ANSWER,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"silent for {2 * SECONDS_TO_ANSWER} s"
    return None if done.returncode == 0 else done.stderr.strip() or f"ssh ended with {done.returncode}"


def _by_name(host: str) -> str | None:
    try:
        socket.getaddrinfo(host, None)
    except OSError as error:
        return str(error)
    return None
