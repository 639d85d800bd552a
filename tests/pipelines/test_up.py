"""`soraflow up` itself: what it says, whom it answers, what it does when its parts are killed."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import yaml

from ops.runtime.pages import Pages
from ops.runtime.project import Project

pytestmark = pytest.mark.timeout(600)
READY = "Ctrl-C ends both"
NEW_EXPERIMENT = ("/api/2.0/mlflow/experiments/create", '{"name": "by a foreign page"}')
STOP = "mutation { stopSensor(id: %s) { __typename } }"


class Up:
    """`soraflow up` on two free ports."""

    def __init__(self, project: Project) -> None:
        self.project = project
        with socket.socket() as first, socket.socket() as second:
            for each in (first, second):
                each.bind(("127.0.0.1", 0))
            self.dagster, self.mlflow = first.getsockname()[1], second.getsockname()[1]
        argv = [str(Path(sys.executable).with_name("soraflow")), "up"]
        argv += ["--dagster-port", str(self.dagster), "--mlflow-port", str(self.mlflow)]
        self._output = project.root / "up.log"
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                argv,
                cwd=project.root,
                env={**os.environ, "SORAFLOW_PROJECT": str(project.root), "NO_COLOR": "1", "COLUMNS": "80"},
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    @property
    def said(self) -> str:
        return self._output.read_text(encoding="utf-8")

    def until(self, happened: Callable[[], bool]) -> None:
        while not happened():
            assert self.process.poll() is None, self.said
            time.sleep(0.3)

    def pid(self, service: str) -> int:
        found = json.loads((self.project.var / "services.json").read_text(encoding="utf-8"))
        return int(found["services"][service]["process"][0])

    def ask(self, port: int, method: str, path: str, body: str | None = None, **headers: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            connection.request(method, path, body, {"Content-Type": "application/json", **headers})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def graphql(self, query: str) -> dict:
        status, answer = self.ask(self.dagster, "POST", "/graphql", json.dumps({"query": query}))
        assert status == 200, answer
        return json.loads(answer)["data"]

    def sensors(self) -> dict[str, dict]:
        """Name → id and status, once the definitions are loaded."""
        found = self.graphql(
            '{ sensorsOrError(repositorySelector: {repositoryName: "__repository__", '
            'repositoryLocationName: "pipelines.definitions"}) '
            "{ ... on Sensors { results { id name sensorState { status } } } } }"
        )
        return {each["name"]: each for each in found["sensorsOrError"].get("results", [])}


@pytest.fixture
def up(empty, tmp_path: Path) -> Iterator[Up]:
    """In a project whose only file is still on its way, so that nothing begins by itself."""
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    (inbox / "clip.mp4").write_bytes(b"half a file")
    path = empty.project.root / "params.yaml"
    recipe = yaml.safe_load(path.read_text(encoding="utf-8"))
    recipe |= {"sources": {"videos": str(inbox), "images": []}, "automation": {"quiet_seconds": 86400}}
    path.write_text(yaml.safe_dump(recipe), encoding="utf-8")
    started = Up(empty.project)
    try:
        yield started
    finally:
        started.process.send_signal(signal.SIGINT)
        try:
            started.process.wait(120)
        finally:
            started.process.kill()


def test_up_from_start_to_end(up: Up) -> None:
    up.until(lambda: READY in up.said)
    for doing in (
        "code server: loads the definitions",
        "Dagster page: ",
        "Dagster daemon: ",
        "MLflow: opens its store",
    ):
        assert doing in up.said
    pages = Pages.of(up.project)
    assert pages == Pages(f"http://127.0.0.1:{up.dagster}", f"http://127.0.0.1:{up.mlflow}")
    assert f"MLflow          {pages.mlflow_trainings()}\n" in up.said

    up.until(lambda: "run_failures" in up.sensors())
    guards_dagster(up)
    guards_mlflow(up)

    page, daemon = up.pid("Dagster page"), up.pid("Dagster daemon")
    os.kill(daemon, signal.SIGKILL)
    up.until(lambda: up.pid("Dagster daemon") != daemon)
    assert "Dagster daemon was ended by SIGKILL; it is started again (1 of 3); see " in up.said
    assert up.pid("Dagster page") == page
    assert up.ask(up.dagster, "GET", "/server_info")[0] == 200
    (daily,) = (up.project.logs / "daily").iterdir()
    assert "up: Dagster daemon was ended by SIGKILL" in daily.read_text(encoding="utf-8")

    programs = [child.cmdline() for child in psutil.Process(up.process.pid).children(recursive=True)]
    assert not [argv for argv in programs if "mlflow.server.jobs" in " ".join(argv)], "workers that nobody needs"

    up.process.send_signal(signal.SIGINT)
    assert up.process.wait(120) == 0, up.said
    for port in (up.dagster, up.mlflow):
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0, f"something still listens on port {port}"
    assert b"--- started" in (up.project.logs / "daemon.log").read_bytes()


def guards_dagster(up: Up) -> None:
    sensor = up.sensors()["run_failures"]
    assert sensor["sensorState"]["status"] == "RUNNING"
    stop = STOP % json.dumps(sensor["id"])
    by_link = "/graphql?query=" + stop.replace(" ", "%20").replace('"', "%22")
    body = json.dumps({"query": stop})
    assert up.ask(up.dagster, "GET", by_link)[0] == 403
    assert up.ask(up.dagster, "POST", "/graphql", body, Origin="http://evil.example")[0] == 403
    assert up.ask(up.dagster, "POST", "/graphql", body, Host="evil.example")[0] == 403
    assert up.ask(up.dagster, "GET", "/", Host="evil.example")[0] == 403
    assert up.sensors()["run_failures"]["sensorState"]["status"] == "RUNNING", "nobody has stopped it"
    own = f"http://127.0.0.1:{up.dagster}"
    assert up.ask(up.dagster, "POST", "/graphql", body, Origin=own)[0] == 200
    assert up.sensors()["run_failures"]["sensorState"]["status"] == "STOPPED"


def guards_mlflow(up: Up) -> None:
    path, body = NEW_EXPERIMENT
    assert up.ask(up.mlflow, "GET", "/", Host="evil.example")[0] == 403
    assert up.ask(up.mlflow, "GET", "/", Host="192.168.1.1")[0] == 403, "only under the names that it has here"
    assert up.ask(up.mlflow, "POST", path, body, Origin="http://evil.example")[0] == 403
    assert up.ask(up.mlflow, "POST", path, body, Origin=f"http://127.0.0.1:{up.mlflow}")[0] == 200
