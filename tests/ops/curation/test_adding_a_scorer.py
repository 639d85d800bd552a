"""What docs/curation.md says of adding a scorer: its own examples, put into a copy of the code, and run.

Nothing but what the page shows is changed. That it is so little is the point: a scorer of a step that exists takes at
most three files, and a new step at most four, one of each for weights, which the examples do without.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

pytestmark = pytest.mark.costly
PACKAGES = ("ops", "pipelines", "models", "configs", "docs", "mlflow")
RECIPE: dict[str, Any] = {
    "workers": 1,
    "shots": {"scorer": "picture-change", "min_frames": 12},
    "text_crop": {"scorer": "none"},
    "technical_quality": {"scorer": "blur-and-blocks"},
    "rules": [],
}

WALK = """
import json
import runpy
import sys
from pathlib import Path


def main() -> None:
    from ops.data import dvc_file
    from ops.data.expectations import validate
    from ops.curation.runs.records import runs
    from ops.reports.curation_report import curation_report
    from ops.runtime import tables
    from ops.runtime.project import Project
    from ops.steps import CLIP_STEPS, STEPS
    from pipelines.definitions import defs

    project, tree = Project(Path(sys.argv[1])), Path(sys.argv[2])
    for name in (*CLIP_STEPS, "raw_images", "curated_images"):
        STEPS[name].load()(project)
    curation_report(project, project.var / "report.html")
    graph = defs().resolve_asset_graph()
    checked = {name: validate(project, name) for name in (*CLIP_STEPS[1:-1], "curated_images")}
    told = {
        "chain": CLIP_STEPS,
        "clips": tables.read(project.table("curated_clips")),
        "pictures": tables.read(project.table("curated_images")),
        "failures": {name: each.failures for name, each in checked.items()},
        "expectations": {name: each.expectations for name, each in checked.items()},
        "funnel": [row["step"] for row in runs(project, "video")[-1].record["funnel"]],
        "histograms": sorted(runs(project, "video")[-1].record["histograms"]),
        "settings": runs(project, "video")[-1].record["settings"],
        "dvc": dvc_file.text(),
        "page": runpy.run_path(str(tree / "docs" / "data_contract.py"))["page"](),
        "report": (project.var / "report.html").read_text(encoding="utf-8"),
        "assets": {key.to_user_string(): graph.get(key).description for key in graph.get_all_asset_keys()},
        "parents": {
            key.to_user_string(): sorted(parent.to_user_string() for parent in graph.get(key).parent_keys)
            for key in graph.get_all_asset_keys()
        },
    }
    Path(sys.argv[3]).write_text(json.dumps(told), encoding="utf-8")


if __name__ == "__main__":
    main()
"""


def examples(page: str, title: str) -> list[tuple[str, str, str]]:
    """(language, path, text) of the blocks of a section of the page that begin with the path of a file."""
    (section,) = re.findall(rf"^### {re.escape(title)}\n(.*?)(?=^### )", page, flags=re.MULTILINE | re.DOTALL)
    blocks = re.findall(r"^```(python|diff)\n# (\S+)\n(.*?)^```", section, flags=re.MULTILINE | re.DOTALL)
    return [(language, path, text) for language, path, text in blocks]


def put(tree: Path, language: str, path: str, text: str) -> None:
    """A whole new file, or a change of one that is there, whose lines stand in it exactly once."""
    file = tree / path
    if language == "python":
        assert not file.exists()
        file.write_text(text, encoding="utf-8")
        return
    lines = text.splitlines(keepends=True)
    before = "".join(line[1:] for line in lines if line[0] in " -")
    after = "".join(line[1:] for line in lines if line[0] in " +")
    content = file.read_text(encoding="utf-8")
    assert content.count(before) == 1
    file.write_text(content.replace(before, after), encoding="utf-8")


@pytest.fixture
def tree(tmp_path: Path, checkout: Path) -> Path:
    """A copy of the code."""
    for name in PACKAGES:
        shutil.copytree(checkout / name, tmp_path / "tree" / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("params.yaml", "dvc.yaml", "dagster.yaml", "pyproject.toml"):
        shutil.copy(checkout / name, tmp_path / "tree")
    return tmp_path / "tree"


def curated(tree: Path, videos: Any, curation: dict[str, Any]) -> dict[str, Any]:
    """What the curation of a film and a picture comes to, by the code in the tree."""
    root = tree.parent / "project"
    shutil.copytree(tree / "configs", root / "configs")
    videos.slow_pan(root / "films" / "pan.mp4")
    (root / "photos").mkdir()
    shutil.copy(str(distribution("scikit-image").locate_file("skimage/data/chelsea.png")), root / "photos")
    white = np.full((200, 200, 3), 255, np.uint8)
    white[:40] = np.random.default_rng(0).integers(1, 255, (40, 200, 3))
    Image.fromarray(white).save(root / "photos" / "white.png")
    recipe = {"sources": {"videos": "films", "images": "photos"}, "curation": {**RECIPE, **curation}}
    (root / "params.yaml").write_text(yaml.safe_dump({"preset": "tiny", **recipe}), encoding="utf-8")
    script, told = tree.parent / "walk.py", tree.parent / "told.json"
    script.write_text(WALK, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(tree), "SORAFLOW_PROJECT": str(root)}
    command = [sys.executable, str(script), str(root), str(tree), str(told)]
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(told.read_text(encoding="utf-8"))
    return found


def test_a_scorer_is_added_to_a_step(tree: Path, checkout: Path, videos: Any) -> None:
    page = (checkout / "docs" / "curation.md").read_text(encoding="utf-8")
    changes = examples(page, "In a step that exists")
    assert len({path for _, path, _ in changes}) <= 2
    for change in changes:
        put(tree, *change)
    rules = [{"score": "aesthetic", "minimum": 1.0}]
    told = curated(tree, videos, {"aesthetics": {"scorer": "contrast"}, "rules": rules})
    assert len(told["clips"]) == 1
    assert len(told["pictures"]) == 2
    for row in (*told["clips"], *told["pictures"]):
        assert row["rejected_by"] is None
        assert 1 < row["aesthetic"] < 128
        assert json.loads(row["aesthetics_scorer"])["scorer"] == "contrast"
    assert told["settings"]["aesthetics.scorer"] == "contrast"
    assert {name: found for name, found in told["failures"].items() if found} == {}


def test_a_step_is_added_with_its_scorer(tree: Path, checkout: Path, videos: Any) -> None:
    page = (checkout / "docs" / "curation.md").read_text(encoding="utf-8")
    changes = examples(page, "As a step of its own")
    assert len({path for _, path, _ in changes}) <= 3
    for change in changes:
        put(tree, *change)
    rules = [{"score": "exposed", "minimum": 0.5}]
    aesthetics = {"aesthetics": {"scorer": "colourfulness"}}
    told = curated(tree, videos, {**aesthetics, "exposure": {"enabled": True}, "rules": rules})
    place = told["chain"].index("exposure")
    assert told["chain"][place - 1 : place + 2] == ["safety", "exposure", "motion_recheck"]
    for row in (*told["clips"], *told["pictures"]):
        assert 0 < row["exposed"] <= 1
        assert json.loads(row["exposure_scorer"])["scorer"] == "well-exposed"
        verdict = (row["rejected_by"], row["reason_code"], row["reason"])
        out = ("exposure", "badly_exposed", "well-exposed 0.200 is below 0.5")
        assert verdict == (out if row["path"] == "white.png" else (None, None, None))
    assert {name: found for name, found in told["failures"].items() if found} == {}
    for name in ("exposure", "motion_recheck", "curated_images"):
        assert {"exposed is a number", "exposed says who measured it"} <= set(told["expectations"][name])
    assert "exposure" in told["funnel"]
    assert "exposed" in told["histograms"]
    assert told["settings"]["exposure.enabled"] is True
    stage = yaml.safe_load(told["dvc"])["stages"]
    watched = ["curation.exposure", "curation.rules.exposed", "curation.sampling"]
    assert stage["exposure"] == {
        "cmd": "python -m ops exposure",
        "deps": ["data/safety.parquet"],
        "params": [{"data/settings.yaml": watched}],
        "outs": ["data/exposure.parquet"],
    }
    assert stage["motion_recheck"]["deps"] == ["data/exposure.parquet"]
    assert set(watched) <= set(stage["curated_images"]["params"][0]["data/settings.yaml"])
    assert "curation.exposure" in stage["dataset_report"]["params"][0]["data/settings.yaml"]
    assert told["assets"]["exposure"].startswith("How much of the frames is neither black nor white")
    assert (told["parents"]["exposure"], told["parents"]["motion_recheck"]) == (["safety"], ["exposure"])
    assert "| `exposed` | float | share of the picture that is neither black nor white |" in told["page"]
    assert "| `badly_exposed` | less than `curation.rules.exposed.minimum` |" in told["page"]
    assert re.search(r"exposure [01]\.?\d*", told["report"])
