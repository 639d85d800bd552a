"""The MLflow server is killed under a training, and comes back: nothing is lost of what was to be recorded."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ops.runtime.artifacts import Artifact
from ops.runtime.tracking.connection import connect
from ops.training.recording.metrics_file import read

STAGE = {
    "name": "joint",
    "kinds": ["image", "video"],
    "schedule": {
        "steps": 2500,
        "batch_size": 2,
        "checkpoint_every": 500,
        "validate_every": 500,
        "optimizer": {"learning_rate": 1e-4},
    },
}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Server:
    """A real one, with a store of its own."""

    folder: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        self.folder.mkdir(exist_ok=True)
        store = ("--backend-store-uri", f"sqlite:///{self.folder / 'mlflow.db'}")
        files = ("--artifacts-destination", str(self.folder / "artifacts"))
        listen = ("--host", "127.0.0.1", "--port", str(self.port), "--workers", "1")
        argv = [sys.executable, "-m", "mlflow", "server", *listen, *store, *files]
        self.process = subprocess.Popen(argv, start_new_session=True)
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.2)
        raise TimeoutError(f"no server at {self.address}")

    def kill(self) -> None:
        if self.process and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def steps_of(folder: Path) -> list[int]:
    """Those that have a loss in the training's own file."""
    path = folder / "metrics.jsonl"
    return [line["step"] for line in read(path) if "loss" in line] if path.is_file() else []


def wait_for(found: Callable[[], Any], training: Future[Artifact]) -> Any:
    """What the training has come to, as soon as there is any."""
    deadline = time.monotonic() + 400
    while time.monotonic() < deadline:
        if training.done():
            training.result()
            raise AssertionError("the training ended before its server was killed")
        if result := found():
            return result
        time.sleep(0.2)
    raise TimeoutError("the training does not come so far")


@pytest.mark.slow
@pytest.mark.dist
def test_a_training_goes_on_without_its_server(
    make_lab: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = make_lab(tmp_path / "lab").change("stages", [STAGE])
    server = Server(tmp_path / "server")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.address)
    server.start()
    try:
        with ThreadPoolExecutor(1) as pool:
            training = pool.submit(lab.train, "denoiser_joint")
            job = wait_for(lambda: next(lab.project.artifacts.glob("denoiser_joint/*/job.json"), None), training)
            wait_for(lambda: max(steps_of(job.parent), default=0) >= 100, training)
            server.kill()
            killed_at = max(steps_of(job.parent))
            wait_for(lambda: max(steps_of(job.parent)) > killed_at + 200, training)
            assert (job.parent / "outbox.json").is_file()
            server.start()
            artifact = training.result()
        client = connect(lab.project)
        run = client.get_run(artifact.results.mlflow_run_id)
        logged = client.get_metric_history(run.info.run_id, "loss")
    finally:
        server.kill()
    assert run.info.status == "FINISHED"
    assert sorted(point.step for point in logged) == steps_of(artifact.folder)
    assert not (artifact.folder / "outbox.json").exists()
    log = (artifact.folder / "logs" / "rank0.log").read_text(encoding="utf-8")
    assert "MLflow does not answer" in log
    assert "MLflow answers again and has got what waited" in log
