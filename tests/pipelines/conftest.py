"""One run of the whole graph, shared by every test that needs a finished project."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from ops.runtime.project import Project

CHECKOUT = Path(__file__).resolve().parents[2]
SHIPPED = ("configs", "params.yaml", "dvc.yaml", "dagster.yaml", ".dvc/config", ".dvcignore", "mlflow", ".gitignore")

# The preset `tiny`, with two stages and a few steps of each training: what is tested is that the parts fit.
STAGES = ("joint", "video")
SCHEDULE = {"steps": 4, "batch_size": 2, "checkpoint_every": 2, "validate_every": 2}
MICRO = {
    "dataset": {"windows_per_clip": 1, "num_frames": 9},
    "vae": {
        "model": {"base_channels": 8, "encoder_flow_channels": 8, "decoder_flow_channels": 8},
        "losses": {"discriminator_start": 2, "discriminator_width": 4},
        "schedule": SCHEDULE,
    },
    "denoiser": {"model": {"layers": 5, "heads": 2, "head_width": 12}},
    "evaluation": {"steps": 2, "num_frames": 9, "reconstruction_frames": 9, "checkpoints": 2, "prompts": ["a bicycle"]},
}


@dataclass(frozen=True)
class Shell:
    """Runs `soraflow` in a project as a user would."""

    project: Project

    def __call__(self, *arguments: str, check: bool = True, timeout: float = 540) -> subprocess.CompletedProcess[str]:
        process = self.start(*arguments)
        try:
            output, errors = process.communicate(timeout=timeout)
        finally:
            process.kill()
        done = subprocess.CompletedProcess(process.args, process.returncode, output, errors)
        if check and done.returncode != 0:
            pytest.fail(f"soraflow {' '.join(arguments)} ended with {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Begin a command and come back at once."""
        more = {"SORAFLOW_PROJECT": str(self.project.root), "COLUMNS": "140", "OMP_NUM_THREADS": "1"}
        environment = {**os.environ, **more}
        command = [str(Path(sys.executable).parent / "soraflow"), *arguments]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=environment, cwd=self.project.root)


def lay_project(root: Path) -> Project:
    """A user's checkout: the shipped configuration, under git, with the micro recipe."""
    root.mkdir(parents=True)
    for name in SHIPPED:
        source, target = CHECKOUT / name, root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target)
        else:
            shutil.copy(source, target)
    tiny = yaml.safe_load((CHECKOUT / "configs" / "tiny.yaml").read_text())
    kept = [stage for stage in tiny["stages"] if stage["name"] in STAGES]
    stages = [{**stage, "schedule": {**stage["schedule"], **SCHEDULE}} for stage in kept]
    (root / "params.yaml").write_text(yaml.safe_dump({"preset": "tiny", **MICRO, "stages": stages}))
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "project"]):
        identity = ["-c", "user.name=test", "-c", "user.email=test@example.com"]
        subprocess.run(["git", *identity, *command], cwd=root, check=True)
    return Project(root)


@pytest.fixture
def beside(finished: Shell, tmp_path: Path) -> Shell:
    """A second project, with the checked dataset of the finished one and nothing trained yet."""
    project = lay_project(tmp_path / "beside")
    shutil.copytree(finished.project.data, project.data)
    for room in ("checks", "datasets"):
        shutil.copytree(finished.project.var / room, project.var / room)
    shutil.copy(finished.project.root / "dvc.lock", project.root)
    return Shell(project)


@pytest.fixture
def empty(tmp_path: Path) -> Shell:
    """A project with the shipped recipe, in which nothing has been made yet."""
    return Shell(lay_project(tmp_path / "empty"))


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, shared_weights: Path) -> Iterator[Shell]:
    """A project in which the whole graph has been materialised once by `soraflow run`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SORAFLOW_WEIGHTS", str(shared_weights))
        shell = Shell(lay_project(tmp_path_factory.mktemp("finished") / "project"))
        first = shell("run")
        (shell.project.root / "first_run.txt").write_text(first.stdout)
        yield shell
