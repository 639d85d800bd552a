"""The one launcher: from a launch specification to the command that starts all ranks, and the watch over it.

One node runs under `torchrun`; several run under `deepspeed` with Slurm, pdsh or OpenMPI, from a hostfile; under `env`
somebody else has started a process for each rank, of which this is one (`ops/training/__main__.py`). Whoever
starts the command (this module's `run`, or a caller that wants Dagster Pipes around it) gets the same promises:
ranks die together, each rank has its own log, and a job that stays silent past its deadline is ended.
"""

from __future__ import annotations

import ctypes
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from ops.config import ConfigError, Launch
from ops.runtime.device import accelerator_environment, cores
from ops.training.launching.hostfile import nodes
from ops.training.launching.ranks import discover

SECONDS_BETWEEN_LOOKS = 0.2
SECONDS_TO_SAY_GOODBYE = 20.0
LINES_IN_ERROR = 15
PR_SET_PDEATHSIG = 1
PATIENCE_WITH_MLFLOW = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", "MLFLOW_HTTP_REQUEST_TIMEOUT": "30"}
"""Records wait on the disk for a server that is away, so a training need not stand still for it as a script would."""
ALONE = {"RANK": "0", "WORLD_SIZE": "1", "LOCAL_RANK": "0", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "0"}
"""What torchrun would tell the only rank; it takes a port that is free."""
EXPORTED = (
    "SORAFLOW_",
    "DS_ACCELERATOR",
    "TORCH_DEVICE_BACKEND_AUTOLOAD",
    "OMP_NUM_THREADS",
    "HF_HUB_OFFLINE",
    "HCCL_",
    "MASTER_PORT",
)


class LaunchError(RuntimeError):
    """A training job that did not end well; the message holds the last lines of the rank that failed first."""


@dataclass(frozen=True)
class LaunchSpec:
    """What to run (a module with a `--job FILE` argument) and on how many ranks of which machines."""

    module: str
    job: Path
    launch: Launch
    python: str = sys.executable


@dataclass(frozen=True)
class Command:
    """A command ready to start, and where it can be watched.

    `logs` receives `rank<N>.log` from every rank and `launcher.log`; `heartbeat` is the file that a live job keeps
    touching.
    """

    argv: list[str]
    environment: dict[str, str] = field(repr=False)
    logs: Path
    heartbeat: Path
    heartbeat_seconds: float

    def with_environment(self, extra: Mapping[str, str]) -> Command:
        return replace(self, environment={**self.environment, **extra})


def argv(spec: LaunchSpec) -> list[str]:
    """The command line that starts every rank.

    Raises:
        ConfigError: when several nodes are asked for without a hostfile, or with one that has other nodes; under `env`
            when this process is not one of the ranks that are asked for.
    """
    launch = spec.launch
    if launch.launcher == "env":
        _require_all_ranks(launch)
    if launch.launcher == "env" or _is_alone(launch):  # torchrun would take three seconds to start one process
        return [spec.python, "-m", spec.module, "--job", str(spec.job)]
    if launch.launcher == "torchrun":
        return [
            *(spec.python, "-m", "torch.distributed.run"),
            *("--standalone", "--nnodes=1", f"--nproc-per-node={launch.ranks_per_node}"),
            *("-m", spec.module, "--job", str(spec.job)),
        ]
    if not launch.hostfile:
        raise ConfigError(
            f"launch.hostfile is missing: launcher '{launch.launcher}' reads the nodes from a file with one line "
            f"'HOSTNAME slots={launch.ranks_per_node}' for each of the {launch.nodes} nodes"
        )
    first, *_ = nodes(Path(launch.hostfile), launch)
    return [
        *(spec.python, "-m", "deepspeed.launcher.runner"),
        *("--launcher", launch.launcher, "--hostfile", launch.hostfile),
        *_numbers(launch),
        *_without_ssh(launch.launcher, first.name),
        *_dying_together(launch.launcher),
        *("--master_port", str(launch.port)),
        "--no_local_rank",
        # A path, not --module: DeepSpeed's Slurm runner forgets to pass the -m on.
        *(_source(spec.module), "--job", str(spec.job)),
    ]


def _is_alone(launch: Launch) -> bool:
    return launch.launcher == "torchrun" and launch.ranks_per_node == 1


def _require_all_ranks(launch: Launch) -> None:
    if "RANK" not in os.environ:
        raise ConfigError(
            "launch.launcher is 'env', but there is no RANK: have your scheduler run `python -m ops.training ASSET` "
            "for each rank, and this again when that is done"
        )
    wanted, found = launch.nodes * launch.ranks_per_node, discover(dict(os.environ)).world_size
    if found != wanted:
        raise ConfigError(
            f"launch.launcher 'env' takes the ranks as they are: WORLD_SIZE is {found}, but launch.nodes times "
            f"launch.ranks_per_node is {wanted}"
        )


def _without_ssh(launcher: str, first_host: str) -> list[str]:
    """srun and mpirun need no ssh; DeepSpeed would still use it, to try it and to ask for the first host's address."""
    if launcher == "pdsh":
        return []
    return ["--no_ssh_check", "--master_addr", first_host]


def _dying_together(launcher: str) -> list[str]:
    """srun alone lets the other ranks go on without one that has failed."""
    return ["--launcher_args=--kill-on-bad-exit=1"] if launcher == "slurm" else []


def _numbers(launch: Launch) -> list[str]:
    if launch.launcher == "openmpi":  # takes every slot of the hostfile and refuses to be told a number
        return []
    return ["--num_nodes", str(launch.nodes), "--num_gpus", str(launch.ranks_per_node)]


def _source(module: str) -> str:
    root = Path(__file__).resolve().parents[3]
    return str(root.joinpath(*module.split(".")).with_suffix(".py"))


def write_exports(path: Path, command: Command) -> Command:
    """DeepSpeed's launchers hand only a few variables on to other nodes; this names ours in the file that adds more."""
    lines = [f"{key}={value}" for key, value in sorted(command.environment.items()) if key.startswith(EXPORTED)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return command.with_environment({"DS_ENV_FILE": str(path)})


def environment(launch: Launch, project_root: Path) -> dict[str, str]:
    """The variables that the ranks need, on top of this process's own."""
    threads = max(1, cores() // launch.ranks_per_node)
    extra = {
        **accelerator_environment(launch.accelerator),
        "PYTHONUNBUFFERED": "1",
        "SORAFLOW_PROJECT": str(project_root),
        # torchrun sets 1 when there are several ranks and nothing is said
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", str(threads)),
    }
    if _is_alone(launch):
        extra |= ALONE
    if launch.launcher in ("slurm", "openmpi"):  # DeepSpeed tells the ranks of pdsh alone
        extra["MASTER_PORT"] = str(launch.port)
    return {**PATIENCE_WITH_MLFLOW, **os.environ, **extra}


def run(command: Command) -> None:
    """Start the command and stay until it ends; whatever ends this call early ends every rank.

    Raises:
        LaunchError: when a rank fails, or the job is silent for longer than its deadline.
    """
    command.logs.mkdir(parents=True, exist_ok=True)
    for note in command.logs.glob("rank*.failed"):
        note.unlink(missing_ok=True)  # of an earlier attempt
    with (command.logs / "launcher.log").open("ab") as log:
        attempt = Attempt(command, log.tell())
        process = subprocess.Popen(
            command.argv,
            env=command.environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=die_with_parent,
        )
        try:
            _watch(process, attempt)
        finally:
            end(process)
    if process.returncode:
        raise LaunchError(attempt.explain(process.returncode))


def _watch(process: subprocess.Popen[bytes], attempt: Attempt) -> None:
    """By this machine's own count of seconds: clocks jump, and those of nodes differ. The heartbeat is alive as often
    as its time is another one, whichever."""
    deadline = attempt.command.heartbeat_seconds
    beat, since = _modified(attempt.command.heartbeat), time.monotonic()
    while process.poll() is None:
        if (now := _modified(attempt.command.heartbeat)) != beat:
            beat, since = now, time.monotonic()
        silent = time.monotonic() - since
        if silent > deadline:
            end(process)
            raise LaunchError(
                f"no sign of life for {silent:.0f} s (launch.heartbeat_seconds is {deadline:.0f}); the job was ended. "
                f"{attempt.last_lines(attempt.first_failure())}"
            )
        time.sleep(SECONDS_BETWEEN_LOOKS)


def end(process: subprocess.Popen[bytes], grace: float = SECONDS_TO_SAY_GOODBYE) -> None:
    """Ask the whole group to stop, then make it. Does nothing to a process that has ended."""
    if process.poll() is not None:
        return
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(grace)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent dies, however it dies.

    torchrun gives each rank a session of its own, so that killing torchrun's group does not reach them; this does.
    """
    if sys.platform == "linux":
        _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


_LIBC = ctypes.CDLL(None)  # loaded here, because between fork and exec it could deadlock


@dataclass(frozen=True)
class Attempt:
    """A start of a command, and where in `launcher.log` its part begins. Tells why it failed, as far as logs do."""

    command: Command
    offset: int

    def explain(self, code: int) -> str:
        dead = self._killed_rank(code)
        if dead:
            return f"rank {dead[0]} was killed by signal {dead[1]}. {self.last_lines(self._log_of(dead[0]))}"
        how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        return f"the training job {how}. {self.last_lines(self.first_failure())}"

    def last_lines(self, path: Path) -> str:
        lines = (
            path.read_text(encoding="utf-8", errors="replace").splitlines()[-LINES_IN_ERROR:] if path.is_file() else []
        )
        return f"The end of {path}:\n" + "\n".join(lines or ["(empty)"])

    def first_failure(self) -> Path:
        """The log of the rank that was the first to note its failure; the launcher's, if that says anything and no rank
        has come to it."""
        logs = self.command.logs
        if notes := list(logs.glob("rank*.failed")):
            return min(notes, key=_modified).with_suffix(".log")
        return logs / "launcher.log" if (logs / "launcher.log").stat().st_size > self.offset else self._log_of(0)

    def _killed_rank(self, code: int) -> tuple[int, int] | None:
        """(rank, signal) from torchrun's summary: a killed rank leaves no note, but its peers do, a moment later. The
        only rank is what was started itself."""
        if code < 0 and self.command.environment.get("WORLD_SIZE") == "1":
            return 0, -code
        with (self.command.logs / "launcher.log").open("rb") as log:
            log.seek(self.offset)
            summary = log.read().decode(errors="replace").partition("Root Cause")[2]
        named = re.search(r"rank\s*: (\d+)(?s:.)*?exitcode\s*: -(\d+)", summary)
        return (int(named[1]), int(named[2])) if named else None

    def _log_of(self, rank: int) -> Path:
        return self.command.logs / f"rank{rank}.log"


def _modified(path: Path) -> float:
    return path.stat().st_mtime if path.is_file() else 0.0
