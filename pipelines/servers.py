"""The two web pages, on loopback: Dagster (with its daemon) and MLflow, until one ends or Ctrl-C is pressed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import yaml
from rich.console import Console

from ops.config import ConfigError
from ops.runtime.project import Project
from pipelines.lineage_run import environment

READY_SECONDS = 120
END_SECONDS = 15


def serve(project: Project, dagster_port: int | None, mlflow_port: int | None, console: Console) -> int:
    """Start both, print their addresses once they answer, and wait; the exit status of what ended first."""
    tracking = yaml.safe_load((project.root / "mlflow" / "server.yaml").read_text(encoding="utf-8"))
    host = tracking["host"]
    dagster_port, mlflow_port = dagster_port or 3000, mlflow_port or tracking["port"]
    for port in (dagster_port, mlflow_port):
        require_free(host, port)
    commands = {
        f"http://{host}:{dagster_port}": _dagster(host, dagster_port),
        f"http://{host}:{mlflow_port}": _mlflow(project, host, mlflow_port, tracking["workers"]),
    }
    processes = [
        _start(project, name, argv) for name, argv in zip(("dagster", "mlflow"), commands.values(), strict=True)
    ]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        for name, address, process in zip(("Dagster", "MLflow"), commands, processes, strict=True):
            _wait_until_ready(name, address, process, project.logs)
            console.print(f"{name:<8} [link={address}]{address}[/link]", highlight=False)
        console.print("[dim]Ctrl-C ends both; their logs are in var/logs/[/]")
        while all(process.poll() is None for process in processes):
            time.sleep(0.5)
        return next(process.returncode for process in processes if process.poll() is not None)
    except KeyboardInterrupt:
        return 0
    finally:
        _end(processes)


def require_free(host: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            raise ConfigError(f"port {port} is in use; choose another with --dagster-port or --mlflow-port") from None


def _dagster(host: str, port: int) -> list[str]:
    return [sys.executable, "-m", "dagster", "dev", "-m", "pipelines.definitions", "-h", host, "-p", str(port)]


def _mlflow(project: Project, host: str, port: int, workers: int) -> list[str]:
    return [
        *(sys.executable, "-m", "mlflow", "server", "--host", host, "--port", str(port), "--workers", str(workers)),
        *("--backend-store-uri", f"sqlite:///{project.var / 'mlflow' / 'mlflow.db'}"),
        *("--artifacts-destination", str(project.var / "mlflow" / "artifacts")),
    ]


def _start(project: Project, name: str, argv: list[str]) -> subprocess.Popen[bytes]:
    project.logs.mkdir(parents=True, exist_ok=True)
    with (project.logs / f"{name}.log").open("wb") as log:
        return subprocess.Popen(
            argv,
            cwd=project.root,
            env=environment(project),
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _wait_until_ready(name: str, address: str, process: subprocess.Popen[bytes], logs: Path) -> None:
    log = logs / f"{name.lower()}.log"
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise ConfigError(f"{name} ended at its start; see {log}")
        try:
            with urllib.request.urlopen(address, timeout=2):
                return
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            time.sleep(0.3)
    raise ConfigError(f"{name} did not answer at {address} within {READY_SECONDS} s; see {log}")


def _end(processes: list[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
    for process in processes:
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
