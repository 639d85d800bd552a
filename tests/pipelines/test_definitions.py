"""The graph of every preset, frozen: no asset, dependency, check, schedule or sensor may vanish unnoticed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest
import yaml
from syrupy.assertion import SnapshotAssertion

from ops.data.blocking_checks import BLOCKING_CHECKS
from ops.runtime.project import Project
from pipelines.definitions import defs

ROOT = Path(__file__).resolve().parents[2]


def graph_of(project: Project, preset: str) -> dict:
    (project.root / "params.yaml").write_text(f"preset: {preset}\n")
    definitions = defs()
    graph = definitions.resolve_asset_graph()
    repository = definitions.get_repository_def()
    return {
        "assets": {
            key.to_user_string(): {
                "group": graph.get(key).group_name,
                "made from": sorted(parent.to_user_string() for parent in graph.get(key).parent_keys),
                "pool": sorted(graph.get(key).pools or ()),
                "kinds": sorted(graph.get(key).kinds),
            }
            for key in sorted(graph.get_all_asset_keys())
        },
        "checks": sorted(f"{key.asset_key.to_user_string()}: {key.name}" for key in graph.asset_check_keys),
        "jobs": sorted(job.name for job in repository.get_all_jobs() if not job.name.startswith("__")),
        "schedules": {s.name: f"{s.cron_schedule} {s.default_status.value}" for s in repository.schedule_defs},
        "sensors": {s.name: s.default_status.value for s in repository.sensor_defs},
    }


@pytest.mark.parametrize("preset", ["demo", "finetune", "shapes", "tiny", "v1_1", "v1_3"])
def test_graph(project: Project, preset: str, snapshot: SnapshotAssertion) -> None:
    assert graph_of(project, preset) == snapshot


def test_trainings_and_releases_look_again_at_what_blocks(project: Project) -> None:
    graph = defs().resolve_asset_graph()
    blocking = [key.asset_key.to_user_string() for key in graph.asset_check_keys if graph.get(key).blocking]
    assert sorted(blocking) == sorted(BLOCKING_CHECKS.values())


def test_editing_the_stage_list_changes_the_graph(project: Project) -> None:
    tiny = yaml.safe_load((project.root / "configs" / "tiny.yaml").read_text())
    (project.root / "params.yaml").write_text(yaml.safe_dump({"preset": "tiny", "stages": tiny["stages"][:1]}))
    keys = {key.to_user_string() for key in defs().resolve_asset_graph().get_all_asset_keys()}
    assert {key for key in keys if key.startswith("denoiser_")} == {"denoiser_image"}


def test_stages_on_given_frames_are_a_group_of_their_own(project: Project) -> None:
    stages = yaml.safe_load((project.root / "configs" / "tiny.yaml").read_text())["stages"]
    row = {**stages[-1], "name": "given", "kind": "image_condition", "masks": "1-1"}
    (project.root / "params.yaml").write_text(yaml.safe_dump({"preset": "tiny", "stages": [*stages, row]}))
    graph = defs().resolve_asset_graph()
    (asset,) = dg.AssetSelection.groups("control").resolve(graph)
    assert asset.to_user_string() == "control_given"
    assert {key.to_user_string() for key in graph.get(asset).parent_keys} == {
        "denoiser_video",
        "latents",
        "text_embeddings",
    }


def test_adapters_are_a_group_of_their_own(project: Project) -> None:
    stages = yaml.safe_load((project.root / "configs" / "tiny.yaml").read_text())["stages"]
    mine = {**stages[-1], "name": "mine", "lora": {"rank": 4}}
    (project.root / "params.yaml").write_text(yaml.safe_dump({"preset": "tiny", "stages": [*stages, mine]}))
    graph = defs().resolve_asset_graph()
    made = {key.to_user_string(): key for key in dg.AssetSelection.groups("lora").resolve(graph)}
    between = {f"lora_mine_{name}" for name in ("samples", "vbench", "truth", "checkpoint_scores")}
    assert made.keys() == {"lora_mine", *between, "lora_mine_champion"}

    def parents(asset: str) -> set[str]:
        return {key.to_user_string() for key in graph.get(made[asset]).parent_keys}

    assert parents("lora_mine") == {"denoiser_video", "latents", "text_embeddings"}
    assert parents("lora_mine_samples") == {"lora_mine", "latents"}
    assert parents("lora_mine_champion") == {"lora_mine_checkpoint_scores", "wfvae_evaluation"}
    assert graph.get(dg.AssetKey("samples")).parent_keys == {dg.AssetKey("denoiser_video"), dg.AssetKey("latents")}


def test_a_vae_that_is_not_trained_is_not_said_to_be(project: Project) -> None:
    (project.root / "params.yaml").write_text(yaml.safe_dump({"preset": "tiny", "vae": {"released": "finished"}}))
    graph = defs().resolve_asset_graph()
    vae = graph.get(dg.AssetKey("wfvae"))
    assert vae.kinds == {"mlflow", "pytorch"}
    assert "not trained" in vae.description


def test_string_selections_parse(project: Project) -> None:
    """With antlr 4.9 this raises; see the reasons in requirements.lock."""
    graph = defs().resolve_asset_graph()
    selected = dg.AssetSelection.from_string('+key:latents and group:"vae"').resolve(graph)
    assert {key.to_user_string() for key in selected} == {"wfvae", "latents"}


@pytest.mark.costly
@pytest.mark.parametrize("command", [["dg", "list", "defs"], ["dagster", "definitions", "validate"]])
def test_dagsters_own_commands_find_the_project(command: list[str]) -> None:
    program = Path(sys.executable).parent / command[0]
    done = subprocess.run([program, *command[1:]], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
