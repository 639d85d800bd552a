"""The launcher: its command lines, and its promises about how jobs end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from ops.config import ConfigError, Launch
from ops.training.launching.launch import Command, LaunchError, LaunchSpec, argv, environment, run, write_exports

PYTHON = "/venv/bin/python"


def spec(**launch: object) -> LaunchSpec:
    return LaunchSpec("ops.training.methods.denoiser", Path("/p/job.json"), Launch(**launch), PYTHON)  # type: ignore[arg-type]


def test_one_node_runs_under_torchrun() -> None:
    assert argv(spec(ranks_per_node=2)) == [
        *(PYTHON, "-m", "torch.distributed.run", "--standalone", "--nnodes=1", "--nproc-per-node=2"),
        *("-m", "ops.training.methods.denoiser", "--job", "/p/job.json"),
    ]


def test_one_rank_is_started_itself() -> None:
    """At any port that is free: others train on this machine, too."""
    alone = spec(ranks_per_node=1)
    assert argv(alone) == [PYTHON, "-m", "ops.training.methods.denoiser", "--job", "/p/job.json"]
    told = environment(alone.launch, Path("/p"))
    assert [told[name] for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_PORT")] == ["0", "1", "0", "0"]
    assert "RANK" not in environment(spec(ranks_per_node=2).launch, Path("/p"))


@pytest.fixture
def hosts(tmp_path: Path) -> str:
    (tmp_path / "hosts").write_text("# two nodes\nnode7 slots=8\nnode8 slots=8\n")
    return str(tmp_path / "hosts")


def test_several_nodes_run_under_deepspeed(hosts: str, checkout: Path) -> None:
    program = [str(checkout / "ops/training/methods/denoiser.py"), "--job", "/p/job.json"]
    runner = [PYTHON, "-m", "deepspeed.launcher.runner"]
    numbers, no_ssh = ["--num_nodes", "2", "--num_gpus", "8"], ["--no_ssh_check", "--master_addr", "node7"]
    port = ["--master_port", "29500"]
    several = {"nodes": 2, "ranks_per_node": 8, "hostfile": hosts}
    assert argv(spec(launcher="slurm", **several)) == [
        *(*runner, "--launcher", "slurm", "--hostfile", hosts, *numbers, *no_ssh),
        *("--launcher_args=--kill-on-bad-exit=1", *port, "--no_local_rank", *program),
    ]
    assert argv(spec(launcher="pdsh", **several)) == [
        *(*runner, "--launcher", "pdsh", "--hostfile", hosts, *numbers, *port, "--no_local_rank", *program)
    ]
    # mpirun takes every slot of the hostfile; DeepSpeed refuses numbers with it
    assert argv(spec(launcher="openmpi", **several)) == [
        *(*runner, "--launcher", "openmpi", "--hostfile", hosts, *no_ssh, *port, "--no_local_rank", *program)
    ]


def test_several_nodes_need_a_hostfile() -> None:
    with pytest.raises(ConfigError, match=r"launch\.hostfile is missing.*slots=8.*4 nodes"):
        argv(spec(launcher="slurm", nodes=4, ranks_per_node=8))


def test_ranks_of_somebody_else_are_taken_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    made = spec(launcher="env", nodes=2, ranks_per_node=4)
    monkeypatch.delenv("RANK", raising=False)
    with pytest.raises(ConfigError, match=r"no RANK: have your scheduler run `python -m ops\.training ASSET`"):
        argv(made)
    for name, value in {"RANK": "5", "WORLD_SIZE": "4", "LOCAL_RANK": "1"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=r"WORLD_SIZE is 4, but launch\.nodes times launch\.ranks_per_node is 8"):
        argv(made)
    monkeypatch.setenv("WORLD_SIZE", "8")
    assert argv(made) == [PYTHON, "-m", "ops.training.methods.denoiser", "--job", "/p/job.json"]
    monkeypatch.setenv("MASTER_PORT", "1234")
    assert environment(made.launch, Path("/p"))["MASTER_PORT"] == "1234"


def test_a_clock_that_jumps_ends_no_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does that of another node, which touches the heartbeat: an hour behind, an hour ahead."""
    now = time.time()
    script = f"""
import os, pathlib, time
beat = pathlib.Path(os.environ["FOLDER"], "beat")
for number in range(12):
    beat.touch()
    os.utime(beat, (0, {now} + (-3600 if number % 2 else 3600) + number))
    time.sleep(0.25)
"""
    monkeypatch.setattr("ops.training.launching.launch.time.time", lambda: now + 7200 * time.monotonic())
    run(command(tmp_path, script, heartbeat_seconds=2))


@pytest.mark.costly
def test_deepspeed_turns_it_into_a_call_of_srun(hosts: str, tmp_path: Path) -> None:
    """The installed version takes the flags, and hands our variables on; srun and sinfo are stand-ins."""
    for name in ("sinfo", "srun"):
        (tmp_path / name).write_text('#!/bin/sh\nprintf "%s " "$@"\n')
        (tmp_path / name).chmod(0o755)
    made = spec(launcher="slurm", nodes=2, ranks_per_node=8, hostfile=hosts)
    environment = {
        **os.environ,
        "DS_ACCELERATOR": "cpu",
        "PATH": f"{tmp_path}:/usr/bin:/bin",
        "SORAFLOW_PROJECT": "/p",
    }
    command = Command(argv(made), environment, tmp_path, tmp_path / "beat", 60)
    command = write_exports(tmp_path / "exports.env", command)
    done = subprocess.run([sys.executable, *command.argv[1:]], capture_output=True, text=True, env=command.environment)
    srun = done.stdout.splitlines()[-1]
    assert srun.startswith("-n 16 --kill-on-bad-exit=1 --nodes 2 --gpus-per-node 8 --export=ALL,")
    assert "SORAFLOW_PROJECT=/p" in srun
    assert srun.split()[-3:] == [command.argv[-3], "--job", "/p/job.json"]


def test_threads_are_shared_among_ranks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr("ops.training.launching.launch.cores", lambda: 8)
    assert environment(Launch(ranks_per_node=4, accelerator="cpu"), tmp_path)["OMP_NUM_THREADS"] == "2"
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert environment(Launch(ranks_per_node=4, accelerator="cpu"), tmp_path)["OMP_NUM_THREADS"] == "1"


def command(folder: Path, script: str, heartbeat_seconds: float = 60) -> Command:
    environment = {**os.environ, "FOLDER": str(folder)}
    return Command([sys.executable, "-c", script], environment, folder / "logs", folder / "beat", heartbeat_seconds)


def test_a_job_that_ends_well_is_logged(tmp_path: Path) -> None:
    run(command(tmp_path, "print('hello')"))
    assert "hello" in (tmp_path / "logs" / "launcher.log").read_text()


def test_a_failure_names_its_code_and_shows_the_end_of_the_log(tmp_path: Path) -> None:
    script = "import sys; print(*range(100), sep='\\n'); sys.exit('out of ink')"
    with pytest.raises(LaunchError, match=r"exit code 1(?s:.*)99\nout of ink") as caught:
        run(command(tmp_path, script))
    assert "\n50\n" not in str(caught.value)


def test_the_rank_that_failed_first_is_the_one_that_is_shown(tmp_path: Path) -> None:
    script = """
import os, pathlib, time
logs = pathlib.Path(os.environ["FOLDER"], "logs")
for rank, words in ((1, "the cause"), (0, "only a consequence")):
    (logs / f"rank{rank}.log").write_text(words)
    (logs / f"rank{rank}.failed").touch()
    time.sleep(0.1)
raise SystemExit(3)
"""
    with pytest.raises(LaunchError, match=r"rank1\.log:\nthe cause"):
        run(command(tmp_path, script))


def test_a_killed_rank_is_named_though_only_its_peers_could_complain(tmp_path: Path) -> None:
    script = """
import os, pathlib
logs = pathlib.Path(os.environ["FOLDER"], "logs")
(logs / "rank1.log").write_text("step 7")
(logs / "rank0.log").write_text("Connection closed by peer")
(logs / "rank0.failed").touch()
print("Root Cause (first observed failure):\\n[0]:\\n  rank      : 1 (local_rank: 1)\\n  exitcode  : -9 (pid: 5)")
raise SystemExit(1)
"""
    with pytest.raises(LaunchError, match=r"rank 1 was killed by signal 9\. The end of .*rank1\.log:\nstep 7"):
        run(command(tmp_path, script))
    with pytest.raises(LaunchError, match="exit code 2"):  # the summary of an earlier attempt is not this one's
        run(command(tmp_path, "raise SystemExit(2)"))


def test_a_silent_job_is_ended(tmp_path: Path) -> None:
    script = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"
    with pytest.raises(LaunchError, match="no sign of life"):
        run(command(tmp_path, script, heartbeat_seconds=1))
    assert not psutil.pid_exists(int((tmp_path / "logs" / "launcher.log").read_text()))


def test_a_job_that_ignores_the_request_to_stop_is_made_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ops.training.launching.launch.end.__defaults__", (0.5,))
    script = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
    with pytest.raises(LaunchError, match="no sign of life"):
        run(command(tmp_path, script, heartbeat_seconds=1))


def test_an_interruption_of_the_caller_ends_the_job(tmp_path: Path) -> None:
    script = "import os, signal, time; print(os.getpid(), flush=True); os.kill(os.getppid(), signal.SIGINT); "
    with pytest.raises(KeyboardInterrupt):
        run(command(tmp_path, script + "time.sleep(60)"))
    assert not psutil.pid_exists(int((tmp_path / "logs" / "launcher.log").read_text()))


def test_ranks_do_not_outlive_a_killed_launcher(tmp_path: Path) -> None:
    """Launcher → torchrun → rank, each in a session of its own; only the first is killed."""
    rank = "from ops.training.launching.launch import die_with_parent; die_with_parent(); import time, os; "
    rank += "open(os.environ['FOLDER'] + '/pid', 'w').write(str(os.getpid())); time.sleep(60)"
    torchrun = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {rank!r}], start_new_session=True)"
    launcher = f"""
import os, sys
from pathlib import Path
from ops.training.launching.launch import Command, run
folder = Path({str(tmp_path)!r})
command = Command([sys.executable, "-c", {torchrun!r}], {{**os.environ, "FOLDER": str(folder)}}, folder / "logs",
                  folder / "beat", 60)
run(command)
"""
    process = subprocess.Popen([sys.executable, "-c", launcher])
    pid = int(_when_there(tmp_path / "pid"))
    process.send_signal(signal.SIGKILL)
    process.wait()
    psutil.wait_procs([psutil.Process(pid)] if psutil.pid_exists(pid) else [], timeout=5)
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def _when_there(path: Path) -> str:
    deadline = time.time() + 30
    while not (path.is_file() and path.read_text(encoding="utf-8")):
        assert time.time() < deadline, f"{path} never came"
        time.sleep(0.05)
    return path.read_text(encoding="utf-8")
