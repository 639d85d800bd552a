"""Whether an asset would be made again is answered field by field, and nothing is made for the answer."""

from __future__ import annotations

from io import StringIO

import pytest
import yaml
from rich.console import Console

from ops import lineage
from ops.config import WronglyCalled
from ops.data.resolved_settings import of_dataset
from ops.evaluation import checkpoint_scores, reconstruction, samples, truth, vbench
from ops.runtime.artifacts import current_entry
from ops.runtime.project import Project
from ops.steps import SETTINGS_FILE, STEPS
from ops.why import why
from pipelines.terminal.why import show


def changed(project: Project, old: str, new: str) -> Project:
    path = project.root / "params.yaml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    return Project(project.root)


def shown(project: Project, asset: str) -> list[str]:
    console = Console(file=StringIO(), width=200)
    show(project, asset, console)
    return console.file.getvalue().splitlines()  # type: ignore[attr-defined]


def test_what_is_up_to_date_would_not_be_made_again(trained_world) -> None:
    project = trained_world.project
    for asset in ("wfvae", "latents", "text_embeddings", "denoiser_image", "denoiser_video"):
        assert why(project, asset).would == "be found", asset
    told = why(project, "vbench")
    assert (told.would, told.version) == ("not be made now", None)
    assert "'samples' has not been made yet" in str(told.note)


def test_a_setting_of_a_stage_is_named_as_the_recipe_names_it(world) -> None:
    project = changed(world.project, "{steps: 4,", "{steps: 6,")
    told = why(project, "denoiser_image")
    assert told.would == "be made again"
    assert [str(change) for change in told.changes] == ["stages.image.schedule.steps 4 → 6"]
    assert told.version == current_entry(project, "denoiser_image").version
    lines = shown(project, "denoiser_video")
    assert lines[0].startswith("denoiser_video would be made again, of what lies here; since version ")
    assert lines[1] == "  stages.video.schedule.steps 4 → 6"
    assert "  stages.image.schedule.steps 4 → 6" in lines


def test_a_setting_of_the_vae_is_told_to_everything_below(world) -> None:
    project = changed(world.project, "vae: {", "vae: {losses: {kl_weight: 0.5}, ")
    assert [str(change) for change in why(project, "wfvae").changes] == ["vae.losses.kl_weight 1e-06 → 0.5"]
    assert why(project, "latents").would == "be found"  # of the VAE that is here still
    lines = shown(project, "latents")
    assert lines[0].startswith("latents would not be made again, of what lies here: version ")
    assert "  vae.losses.kl_weight 1e-06 → 0.5" in lines


def test_another_version_upstream_is_named(world) -> None:
    before = why(world.project, "denoiser_video")
    made = world.train_denoiser("image", {2: 0.7}, seed=3)
    told = why(world.project, "denoiser_video")
    (change,) = told.changes
    assert (change.key, change.now) == ("denoiser_image", made.version)
    assert str(change) == f"denoiser_image {change.before[:7]}… → {made.version[:7]}…"
    assert told.version == before.version


def test_the_code_of_a_training_is_told(world, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ops.training.assets.CODE", 3)
    assert [str(change) for change in why(world.project, "wfvae").changes] == ["code 2 → 3"]


def test_evaluation_and_release_are_answered_too(world) -> None:
    project = world.project
    samples.make_samples(project)
    vbench.score(project)
    truth.score(project)
    checkpoint_scores.score(project)
    reconstruction.evaluate(project)
    made = ("samples", "vbench", "truth", "checkpoint_scores", "wfvae_evaluation")
    assert {why(project, asset).would for asset in made} == {"be found"}
    assert why(project, "champion").would == "be made"
    project = changed(project, "steps: 2", "steps: 4")
    assert [str(change) for change in why(project, "samples").changes] == ["evaluation.steps 2 → 4"]
    assert why(project, "wfvae_evaluation").would == "be found"
    project = changed(project, "reconstruction_frames: 5", "reconstruction_frames: 9")
    assert [str(change) for change in why(project, "wfvae_evaluation").changes] == [
        "evaluation.reconstruction_frames 5 → 9"
    ]


@pytest.fixture
def curated(project: Project) -> Project:
    """Every step of the dataset is in the lock, under today's settings."""
    stages, settings = {}, of_dataset(project)
    for name, step in STEPS.items():
        params = {SETTINGS_FILE: {key: settings[key] for key in step.settings}}
        deps = [{"path": STEPS[each].output, "md5": each} for each in step.inputs]
        outs = [{"path": step.output, "md5": name}]
        stages[name] = {"cmd": step.command, "deps": deps, "params": params, "outs": outs}
        (project.root / step.output).parent.mkdir(exist_ok=True)
        (project.root / step.output).touch()
    (project.root / "dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": stages}))
    return project


def test_a_step_of_the_dataset_tells_settings_and_inputs(curated: Project) -> None:
    assert why(curated, "motion").would == "be found"
    (curated.root / "params.yaml").write_text("preset: tiny\ncuration: {rules: {motion: {minimum: 0.01}}}\n")
    project = Project(curated.root)
    told = why(project, "motion")
    assert (told.would, told.version) == ("be made again", "motion")
    assert [str(change) for change in told.changes] == ["curation.rules.motion.minimum 0.001 → 0.01"]
    assert why(project, "text_crop").would == "be found"
    assert "  curation.rules.motion.minimum 0.001 → 0.01" in shown(project, "text_crop")
    lock = project.root / "dvc.lock"
    stages = yaml.safe_load(lock.read_text())
    stages["stages"]["shots"]["outs"][0]["md5"] = "other shots"
    lock.write_text(yaml.safe_dump(stages))
    assert [str(change) for change in why(project, "motion").changes] == [
        "shots shots → other shots",
        "curation.rules.motion.minimum 0.001 → 0.01",
    ]
    (project.root / STEPS["captions"].output).unlink()
    assert "comes back from DVC's cache" in str(why(project, "captions").note)
    assert why(project, "raw_videos").changes[0].key == "files of the sources"


def test_a_step_that_was_never_made(project: Project) -> None:
    assert why(project, "clips").would == "be made"
    assert shown(project, "clips")[0] == "clips would be made, of what lies here: it never was"
    with pytest.raises(WronglyCalled, match="there is no asset 'clip'; the assets are: raw_videos, clips, shots"):
        show(project, "clip", Console(file=StringIO()))


@pytest.mark.parametrize("preset", ["demo", "shapes", "tiny", "v1_1", "v1_3"])
def test_the_graph_is_drawn_from_the_same_inputs(project: Project, preset: str) -> None:
    from pipelines.definitions import defs

    (project.root / "params.yaml").write_text(f"preset: {preset}\n")
    graph = defs().resolve_asset_graph()
    made_from = lineage.inputs(Project(project.root).settings)
    drawn = {key.to_user_string(): graph.get(key).parent_keys for key in graph.get_all_asset_keys()}
    for asset, names in made_from.items():
        assert {each.to_user_string() for each in drawn[asset]} == set(names), asset
    assert set(drawn) - set(made_from) <= {"buckets"}
