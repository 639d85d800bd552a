"""Whatever would end a run is told before its first step, all of it at once, each with its remedy."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
import yaml
from rich.console import Console

from ops.runtime.project import Project
from ops.training.readiness import NotReady
from pipelines.terminal import preflight

TRAINED = {"wfvae", "denoiser_image", "text_embeddings"}


def with_recipe(project: Project, **recipe: object) -> Project:
    (project.root / "params.yaml").write_text(yaml.safe_dump({"preset": "tiny", **recipe}), encoding="utf-8")
    return Project(project.root)


def wrong(project: Project, assets: set[str]) -> dict[str, str]:
    found = preflight.findings(project, assets)
    return {each.what: each.remedy for each in found if each.state == "wrong"}


def test_a_machine_that_has_everything_lacks_nothing(
    project: Project, shared_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SORAFLOW_WEIGHTS", str(shared_weights))
    assert wrong(project, TRAINED) == {}


def test_weights_of_later_steps_are_asked_for_before_the_first(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SORAFLOW_WEIGHTS", raising=False)
    changed = with_recipe(project, text_encoder={"weights": "mt5-xxl"}, vae={"losses": {"lpips_net": "vgg"}})
    found = wrong(changed, TRAINED)
    assert "mt5-xxl: missing" in found
    assert "run `soraflow weights fetch mt5-xxl`" in found["mt5-xxl: missing"]
    assert "lpips-vgg: missing" in found
    assert "mt5-xxl: missing" not in wrong(changed, {"wfvae"}), "only what is selected counts"


@pytest.mark.costly
def test_all_obstacles_come_in_one_list(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SORAFLOW_WEIGHTS", raising=False)
    monkeypatch.setenv("PATH", "")
    launch = {"launcher": "slurm", "nodes": 2, "accelerator": "npu", "memory_gib": 1e-6}
    model = {"layers": 1, "heads": 1, "head_width": 6}
    changed = with_recipe(project, text_encoder={"weights": "mt5-xxl"}, denoiser={"model": model}, launch=launch)
    with pytest.raises(NotReady) as refused:
        preflight.require(changed, TRAINED - {"wfvae"}, Console(file=StringIO()))
    told = str(refused.value).splitlines()
    assert "--no-preflight" in told[0]
    assert len([line for line in told[1:] if line.startswith("✗ ")]) == len(told) - 1
    for words in (
        "accelerator: the preset wants npu",
        "weights: mt5-xxl",
        "memory: denoiser_image needs",
        "launcher: srun is not on PATH",
        "hostfile: launch.hostfile is not set",
    ):
        assert any(words in line for line in told), words


def test_a_disk_that_would_be_full_is_told_with_what_is_missing(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipelines.terminal import machine

    (low,) = machine.disk(project, 10**18)
    assert low.state == "wrong"
    assert "1,000,000,000 GB that the work may take" in low.what
    assert "lower schedule.keep_last" in low.remedy
