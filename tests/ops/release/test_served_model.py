"""A released model elsewhere: from MLflow's registry and the package soraflow alone."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ops.release.champion import release_candidate
from ops.release.registry import Registry
from ops.release.served_model import WeightsNotCopied
from ops.runtime.mp4 import read_mp4
from ops.runtime.project import Project

ELSEWHERE = """
import json, sys, mlflow, pandas as pd
model = mlflow.pyfunc.load_model(sys.argv[1])
listed = model.predict(["a red square", "a blue one"], params={"seed": 3})
tabled = model.predict(pd.DataFrame({"prompt": ["a red square"]}), params={"seed": 3, "frames": 1})
try:
    model.predict(["a red square"], params={"frames": 4})
except mlflow.exceptions.MlflowException as error:
    assert "frames is 4, but must be 1 + 4n: use 1 or 5" in error.message, error
else:
    raise AssertionError("four frames were made")
print(json.dumps([*listed.to_dict("records"), *tabled.to_dict("records")]))
"""


def with_release(project: Project, **release: object) -> Project:
    path = project.root / "params.yaml"
    recipe = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump({**recipe, "release": {**recipe["release"], **release}}))
    return Project(project.root)


def downloaded(project: Project, folder: Path) -> Path:
    """The champion as the registry gives it out."""
    import mlflow

    mlflow.set_tracking_uri(project.tracking_uri)
    return Path(mlflow.artifacts.download_artifacts("models:/squares@champion", dst_path=str(folder)))


def test_a_champion_makes_videos_where_nothing_is_but_what_the_registry_gave(
    scored, tmp_path: Path, checkout: Path
) -> None:
    project = with_release(scored.project, copy_weights=True)
    release_candidate(project)
    assert Registry(project).version("champion").tags["weights"] == "copied"
    model = downloaded(project, tmp_path / "elsewhere")
    suffixes = {path.suffix for path in model.rglob("*") if path.is_file()}
    assert suffixes <= {".json", ".safetensors", ".txt", ".md", ""}
    assert not any(path.is_symlink() for path in model.rglob("*"))
    shutil.rmtree(project.root)

    hidden = ("SORAFLOW_WEIGHTS", "SORAFLOW_PROJECT", "MLFLOW_TRACKING_URI")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    environment["PYTHONPATH"] = str(checkout)
    command = [sys.executable, "-c", ELSEWHERE, str(model)]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    red, blue, still = json.loads(done.stdout.splitlines()[-1])
    assert (red["prompt"], red["seed"], red["steps"], blue["prompt"]) == ("a red square", 3, 2, "a blue one")
    shapes = []
    for row in (red, blue, still):
        path = tmp_path / "video.mp4"
        path.write_bytes(base64.b64decode(row["video"]))
        shapes.append(read_mp4(path).shape)
    assert shapes == [(5, 32, 32, 3), (5, 32, 32, 3), (1, 32, 32, 3)]
    assert red["video"] != blue["video"]


@pytest.mark.parametrize(
    ("release", "why"),
    [
        ({"copy_weights": False}, "release.copy_weights is off"),
        ({"copy_weights": True, "largest_copy_gib": 0.01}, r"more than release\.largest_copy_gib \(0\.01\)"),
    ],
)
def test_where_weights_were_not_copied_loading_says_why_and_what_to_do(scored, tmp_path, release, why: str) -> None:
    import mlflow

    project = with_release(scored.project, **release)
    release_candidate(project)
    with pytest.raises(WeightsNotCopied, match=f"version 1 are not in the registry: .*{why}.*run there `soraflow run"):
        mlflow.pyfunc.load_model(str(downloaded(project, tmp_path / "elsewhere")))
