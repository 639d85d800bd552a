"""Every command of the README, run in a finished project or held to what it stands for; a new one needs a check."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import unquote

import pytest
from PIL import Image

from ops import config
from ops.curation.measuring.ledger import Ledger
from ops.runtime import tables
from ops.runtime.artifacts import current
from ops.runtime.files import sha256
from ops.runtime.project import Project
from ops.steps import STEPS
from ops.training.results import Trained

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = ("soraflow", "make", "dvc", "source")
pytestmark = pytest.mark.timeout(900)


def commands(text: str) -> list[str]:
    """Lines of sh blocks, and inline code that starts with one of our programs; in order, each once."""
    blocks = re.findall(r"^```sh\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    lines = [line.strip() for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    inline = [code for code in re.findall(r"`([^`\n]+)`", prose) if code.split()[0] in PROGRAMS and " " in code]
    return list(dict.fromkeys([*filter(None, lines), *inline]))


@pytest.fixture(scope="module")
def shell(finished, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """`soraflow` in a copy of the finished project, so that what is tried here disturbs nobody."""
    root = tmp_path_factory.mktemp("readme") / "project"
    shutil.copytree(finished.project.root, root, symlinks=True)
    return replace(finished, project=Project(root))


def words(command: str) -> list[str]:
    return shlex.split(command)[1:]


def runs(*more: str, shows: str = "", status: int = 0) -> Callable[..., None]:
    """The command, with cheaper arguments added, ends as it should and shows these words."""

    def check(command: str, shell: Any, **_: Any) -> None:
        done = shell(*words(command), *more, check=status == 0)
        assert done.returncode == status, done.stdout + done.stderr
        assert shows in done.stdout + done.stderr

    return check


def makes_it_again(command: str, shell: Any, **_: Any) -> None:
    shell(*words('soraflow generate "a red circle moves left" --steps 1'))
    assert "the same bytes as before" in shell(*words(command)).stdout


def is_a_target(command: str, **_: Any) -> None:
    _, name = command.split()
    makefile = (ROOT / "Makefile").read_text()
    assert re.search(rf"^{name}:.*\n\t", makefile, flags=re.MULTILINE)
    assert name in re.findall(r"^\.PHONY: (.*)$", makefile, flags=re.MULTILINE)[0].split()


def has_a_page(command: str, shell: Any, **_: Any) -> None:
    """It is opened by tests/ops/curation/audit/test_page.py; here only its options are read."""
    assert "--sample" in shell(*words(command), "--help").stdout


def starts(command: str, shell: Any, **_: Any) -> None:
    """The pages are opened by tests/pipelines/test_browser.py; here only its options are read."""
    assert "--mlflow-port" in shell(*words(command), "--help").stdout


def needs_a_stage(command: str, shell: Any, tmp_path: Path, **_: Any) -> None:
    """The demo's recipe trains none on given frames, and it is said how to add one. With one it is tried by
    tests/ops/release/test_generate_from_given.py."""
    Image.new("RGB", (32, 32), "teal").save(tmp_path / "dog.png")
    done = shell(*words(command.replace("dog.png", str(tmp_path / "dog.png"))), check=False)
    assert done.returncode == 1
    assert "add a stage of kind image_condition" in " ".join(done.stderr.split())


def is_made_by_the_makefile(command: str, **_: Any) -> None:
    assert command == "source .venv/bin/activate"
    assert "VENV := .venv" in (ROOT / "Makefile").read_text()


def selects_what_is_above(command: str, **_: Any) -> None:
    """A whole run of what is made already is that of tests/pipelines/test_lineage.py."""
    from pipelines.lineage_run import selected

    found = {key.to_user_string() for key in selected(words(command)[-1])}
    assert found >= {*STEPS, "wfvae", "latents"} - {"dataset_report"}
    assert not found & {"dataset_report", "samples", "champion"}


def gives_a_graph(command: str, project: Project, **_: Any) -> None:
    """A recipe for a cluster is not run here, but it must be valid and its whole graph must load."""
    from pipelines.lineage_run import selected

    preset = words(command)[words(command).index("--preset") + 1]
    config.change(project.root, preset, [])
    assert len(selected("*")) > 20


def sets_automation(command: str, project: Project, **_: Any) -> None:
    assignment = words(command)[words(command).index("--set") + 1]
    assert config.change(project.root, None, [assignment]).automation.on_new_data


def takes_ones_own_files(command: str, shell: Any, videos: ModuleType, tmp_path: Path, **_: Any) -> None:
    """With real folders in place of the example's, the files end up in the tables with their captions."""
    films, photos = tmp_path / "my-videos" / "holiday", tmp_path / "my-photos"
    for folder in (films, photos):
        folder.mkdir(parents=True)
    videos.slow_pan(films / "beach.mp4")
    (films / "beach.txt").write_text("waves roll onto a beach")
    (films / "torn.mp4").write_bytes(b"not a video")
    Image.new("RGB", (96, 80), "teal").save(photos / "sea.png")
    here = command.replace("/data/my-videos", str(films.parent)).replace("/data/my-photos", str(photos))
    params = (shell.project.root / "params.yaml").read_text()
    shell(*words(here), "--select", "raw_videos,raw_images")
    (shell.project.root / "params.yaml").write_text(params)
    rows = {row["path"]: row for row in tables.read(shell.project.table("raw_videos"))}
    assert rows["holiday/beach.mp4"]["captions"] == ["waves roll onto a beach"]
    assert rows["holiday/beach.mp4"]["rejected_by"] is None
    assert rows["holiday/torn.mp4"]["reason"]
    assert [row["path"] for row in tables.read(shell.project.table("raw_images"))] == ["sea.png"]


def rejects_more(command: str, shell: Any, **_: Any) -> None:
    """A stricter threshold rejects by the scores that are there: nothing is measured again."""
    params, before = (shell.project.root / "params.yaml").read_text(), Ledger.of(shell.project).attempts()
    shell(*words(command), "--select", "aesthetics")
    (shell.project.root / "params.yaml").write_text(params)
    assert before
    assert Ledger.of(shell.project).attempts() == before
    rejected = [row for row in tables.read(shell.project.table("aesthetics")) if row["rejected_by"] == "aesthetics"]
    assert rejected
    assert all("below 20" in row["reason"] for row in rejected)


def exports(command: str, shell: Any, tmp_path: Path, **_: Any) -> None:
    """The folder holds what its manifest says, and a second call has nothing to do."""
    *verb, _ = words(command)
    shell(*verb, str(tmp_path / "out"))
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["complete"]
    assert manifest["files"]
    for name, entry in manifest["files"].items():
        assert sha256(tmp_path / "out" / name) == entry["sha256"]
    assert "0 written now" in shell(*verb, str(tmp_path / "out")).stdout


def scores_a_folder(command: str, shell: Any, videos: ModuleType, tmp_path: Path, **_: Any) -> None:
    """A folder that nobody here has made: what its video scores is written as the papers have it."""
    videos.slow_pan(tmp_path / "films" / "a pan over a meadow-0.mp4")
    small, file, told = {
        "vbench": ("--custom --dimension temporal_flickering", "vbench_eval_results.json", "a pan over a meadow-0.mp4"),
        "vae": ("--frames 5 --side 64 --block-frames 0", "model_vae.md", "| WF-VAE-L (16) |"),
    }[words(command)[-1]]
    asked = (*words(command), "--videos", str(tmp_path / "films"), "--to", str(tmp_path / "out"))
    shell(*asked, *small.split())
    assert told in (tmp_path / "out" / file).read_text()


def compares(command: str, shell: Any, tmp_path: Path, **_: Any) -> None:
    """The champion with the other checkpoint of its training, for there is one version."""
    denoiser = current(shell.project, "denoiser_video", Trained).results
    other = next(each.step for each in denoiser.checkpoints if each.step != denoiser.best_step)
    page = tmp_path / "page.html"
    verb, *_names = words(command)
    told = shell(verb, "champion", f"denoiser_video@{other}", "--output", str(page)).stdout
    assert "in MLflow: http" in told
    assert page.read_text(encoding="utf-8").count("<video") == 2


def works_on_the_data(command: str, shell: Any, tmp_path: Path, **_: Any) -> None:
    root = shell.project.root
    if command != "dvc repro":
        dvc(root, "remote", "add", "--force", "--default", "store", str(tmp_path / "store"))
        dvc(root, "push")
    dvc(root, *words(command))


def shows_the_dataset(command: str, shell: Any, **_: Any) -> None:
    """The figures are those of the training set; the pictures are those of the report."""
    root = shell.project.root
    shown = dvc(root, *words(command), *(["--csv"] if command == "dvc exp show" else []))
    if command == "dvc plots show":
        page = Path(unquote(shown.split("file://")[1].strip()))
        assert len(list((page.parent / "static").glob("*.png"))) == 4
    else:
        samples = tables.read(root / "data" / "training_set" / "samples.parquet")
        heads, *rows = [line.split("," if "," in line else None) for line in shown.splitlines()]
        trained_on = str(sum((row["split"], row["kind"]) == ("train", "video") for row in samples))
        assert rows[0][heads.index("samples.train.video")] == trained_on


def dvc(root: Path, *arguments: str) -> str:
    binaries = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}", "SORAFLOW_PROJECT": str(root)}
    program = [str(binaries / "dvc"), *arguments]
    done = subprocess.run(program, cwd=root, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


CHECKS: dict[str, Callable[..., None]] = {
    "make demo": is_a_target,
    "make test": is_a_target,
    "make check": is_a_target,
    "make test-slow": is_a_target,
    "source .venv/bin/activate": is_made_by_the_makefile,
    "soraflow up": starts,
    'soraflow generate "a red circle moves left"': runs("--steps", "1", shows="video.mp4"),
    "soraflow generate --again video.json": makes_it_again,
    'soraflow generate "a dog runs" --image dog.png': needs_a_stage,
    "soraflow trace champion": runs(shows="denoiser_"),
    "soraflow why denoiser_video": runs(shows="denoiser_video would"),
    "soraflow status": runs(),
    "soraflow summary": runs(shows="trace champion"),  # of the last run, which may have been a part
    "soraflow plan": runs(shows="a rank, at most"),
    "soraflow evaluate vbench": scores_a_folder,
    "soraflow evaluate vae": scores_a_folder,
    "soraflow compare 1 2": compares,
    "soraflow card champion": runs(shows="/comparisons/champion.html"),
    "soraflow doctor": runs(shows="Dagster parses asset selections"),
    "soraflow curate report": runs(shows="curation_report.html"),
    "soraflow curate audit": has_a_page,
    "soraflow weights list": runs(shows="lpips-alex"),
    "soraflow rollback": runs(shows="first champion", status=1),
    "soraflow run --select '+latents'": selects_what_is_above,
    "soraflow export webdataset --to shards": exports,
    "soraflow export annotations --to open-sora-plan": exports,
    "dvc repro": works_on_the_data,
    "dvc push": works_on_the_data,
    "dvc pull": works_on_the_data,
    "dvc metrics show": shows_the_dataset,
    "dvc plots show": shows_the_dataset,
    "dvc exp show": shows_the_dataset,
    "soraflow run --set curation.rules.aesthetic.minimum=20": rejects_more,
    "soraflow run --videos /data/my-videos --images /data/my-photos": takes_ones_own_files,
    "soraflow run --preset v1_3": gives_a_graph,
    "soraflow run --preset shapes": gives_a_graph,
    "soraflow run --set automation.on_new_data=true": sets_automation,
}


def test_every_command_has_its_check() -> None:
    assert set(commands((ROOT / "README.md").read_text())) == set(CHECKS)


@pytest.mark.parametrize("command", CHECKS)
def test_the_command_does_what_the_readme_says(
    command: str, shell: Any, project: Project, tmp_path: Path, videos: ModuleType
) -> None:
    CHECKS[command](command, shell=shell, project=project, tmp_path=tmp_path, videos=videos)
