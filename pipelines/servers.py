"""`soraflow up`: the two web pages and what works behind them, on loopback, kept running until Ctrl-C.

Four services: the code server that holds the definitions and starts runs, Dagster's page, Dagster's daemon (schedules,
sensors, the queue) and MLflow's server. One that dies is started again and the others go on.
"""

from __future__ import annotations

import signal
import socket
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import yaml
from rich.console import Console

from ops.config import ConfigError
from ops.runtime import daily_log
from ops.runtime.pages import Pages
from ops.runtime.project import Project
from ops.runtime.tracking.moved_store import follow_move
from pipelines import dagster_home
from pipelines.lineage_run import environment
from pipelines.services import Service, Services, end_left_over, record

LOCATION = "pipelines.definitions"
ANSWER_SECONDS = 2


def serve(
    project: Project,
    dagster_port: int | None,
    mlflow_port: int | None,
    console: Console,
    names: Sequence[str] = (),
) -> int:
    """Start everything, print the addresses once they answer, and keep it running; the exit status.

    `names` are further names under which a proxy, say, reaches the pages. 0 after Ctrl-C or SIGTERM, 1 when a service
    did not stay alive.
    """
    follow_move(project)
    tracking = yaml.safe_load((project.root / "mlflow" / "server.yaml").read_text(encoding="utf-8"))
    host = tracking["host"]
    dagster_port, mlflow_port = dagster_port or 3000, mlflow_port or tracking["port"]
    register = project.var / "services.json"
    if ended := end_left_over(register):
        console.print(f"[dim]ended what an earlier `soraflow up` had left: {', '.join(ended)}[/]")
    for port in (dagster_port, mlflow_port):
        require_free(host, port)
    pages = Pages(f"http://{host}:{dagster_port}", f"http://{host}:{mlflow_port}")
    pages.write(project)
    every = _services(project, host, dagster_port, mlflow_port, tracking["workers"], names)
    addresses = {"Dagster page": pages.dagster, "MLflow": pages.mlflow_trainings()}

    def say(message: str) -> None:
        console.print(message, style="dim", markup=False, highlight=False, soft_wrap=True)

    def ready(service: Service) -> None:
        if address := addresses.get(service.name):
            console.print(f"{service.name:<15} {address}", highlight=False, soft_wrap=True)

    services = Services(
        every,
        {**environment(project), "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},  # workers for language models: 1.4 GB
        project.root,
        say,
        lambda message: daily_log.write(project, "up", message),
        lambda: record(register, every),
    )
    for number in (signal.SIGINT, signal.SIGTERM):  # SIGINT, too: a shell that starts this behind it has it ignored
        signal.signal(number, signal.default_int_handler)
    try:
        services.start(ready)
        console.print("[dim]Ctrl-C ends both pages and all runs; logs are in var/logs/[/]")
        services.watch()
    except KeyboardInterrupt:
        return int(any(service.given_up for service in every))
    finally:
        services.end()
        register.unlink(missing_ok=True)
    return 1


def require_free(host: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OverflowError:
            raise ConfigError(f"port {port} does not exist: choose one from 1 to 65535") from None
        except OSError:
            raise ConfigError(f"port {port} is in use; choose another with --dagster-port or --mlflow-port") from None


def _services(
    project: Project, host: str, dagster_port: int, mlflow_port: int, workers: int, names: Sequence[str]
) -> list[Service]:
    listening = dagster_home.sockets(project) / "code.sock"
    workspace = _workspace(project, listening)
    program = sys.executable
    code = Service(
        "code server",
        (
            *(program, "-m", "dagster", "code-server", "start", "-m", LOCATION, "--location-name", LOCATION),
            *("--socket", str(listening), "--log-level", "warning"),
        ),
        project.logs / "code_server.log",
        partial(_listens, listening),
        "loads the definitions",
        takes_group=False,
    )
    return [
        code,
        Service(
            "Dagster page",
            (program, "-m", "pipelines.dagster_page", host, str(dagster_port), str(workspace), *names),
            project.logs / "dagster.log",
            partial(answers, f"http://{host}:{dagster_port}/server_info"),
            "opens Dagster's records",
            after=code,
        ),
        Service(
            "Dagster daemon",
            (program, "-m", "dagster._daemon", "run", "--workspace", str(workspace)),
            project.logs / "daemon.log",
            lambda: True,
            "begins to watch sensors and the queue of runs",
            after=code,
        ),
        Service(
            "MLflow",
            _mlflow(project, host, mlflow_port, workers, names),
            project.logs / "mlflow.log",
            partial(answers, f"http://{host}:{mlflow_port}/health"),
            "opens its store, which it sets up the first time",
        ),
    ]


def _workspace(project: Project, listening: Path) -> Path:
    """The file that tells the page and the daemon of the code server."""
    path = project.dagster_home / "workspace.yaml"
    server = {"socket": str(listening), "location_name": LOCATION}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump({"load_from": [{"grpc_server": server}]}), encoding="utf-8")
    return path


def _mlflow(project: Project, host: str, port: int, workers: int, names: Sequence[str]) -> list[str]:
    """The tracking server, which answers to its own names and refuses changes by pages of other sites."""
    own = [f"{name}:{port}" for name in (host, "localhost")]
    origins = [*(f"http://{name}" for name in own), *(f"https://{name}" for name in names)]
    return [
        *(sys.executable, "-m", "mlflow", "server", "--host", host, "--port", str(port), "--workers", str(workers)),
        *("--backend-store-uri", f"sqlite:///{project.var / 'mlflow' / 'mlflow.db'}"),
        *("--artifacts-destination", str(project.var / "mlflow" / "artifacts")),
        *("--allowed-hosts", ",".join([*own, *names]), "--cors-allowed-origins", ",".join(origins)),
    ]


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


def answers(address: str) -> bool:
    """Whether something is served there."""
    try:
        with urllib.request.urlopen(address, timeout=ANSWER_SECONDS):
            return True
    except (urllib.error.URLError, TimeoutError, ConnectionError):
        return False
