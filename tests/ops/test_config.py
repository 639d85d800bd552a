"""Recipes: every shipped preset loads, and every mistake is named with its file, its key and the remedy."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ops import config
from ops.config import ConfigError

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("preset", config.presets(ROOT))
def test_every_shipped_preset_loads(preset: str) -> None:
    settings = config.resolve(ROOT, preset, {})
    assert settings.name == preset
    assert all(height % 16 == 0 and width % 16 == 0 for height, width in settings.dataset.sizes().values())


def test_every_shipped_preset_names_an_existing_deepspeed_file() -> None:
    for preset in config.presets(ROOT):
        assert (ROOT / config.resolve(ROOT, preset, {}).launch.deepspeed).is_file()


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"curation": {"shosts": {}}}, "params.yaml: curation.shosts: unknown key (did you mean 'shots'?)"),
        (
            {"curation": {"rules": {"motion": {"maxmum": 1}}}},
            "params.yaml: curation.rules.motion.maxmum: unknown key (did you mean 'maximum'?)",
        ),
        ({"curation": {"rules": {"motoin": {"maximum": 1}}}}, "rules: 'motoin' is none of its items: motion, central"),
        (
            {"curation": {"rules": {"motion": {"minimum": None, "maximum": None}}}},
            "params.yaml: curation.rules.motion: has no bound: set minimum or maximum, or leave the rule out",
        ),
        (
            {"curation": {"rules": {"aesthetic": {"maximum": 9}}}},
            "curation.rules.aesthetic: cannot have a maximum: aesthetic has a minimum only",
        ),
        (
            {"curation": {"rules": {"motion": {"minimum": 0.4}}}},
            "curation.rules.motion: keeps nothing: minimum 0.4 is above maximum 0.3",
        ),
        ({"curation": {"rules": {"motion": {"minimum": float("nan")}}}}, "curation.rules.motion.minimum: Input should"),
        (
            {"curation": {"rules": [{"score": "aesthetic", "minimum": 1}, {"score": "motion", "minimum": 0}]}},
            "params.yaml: curation.rules: 'motion' is measured before 'aesthetic': put its rule first",
        ),
        (
            {"curation": {"rules": [{"score": "motion", "minimum": 0}, {"score": "motion", "maximum": 1}]}},
            "curation.rules: 'motion' has two rules: write its minimum and maximum into one",
        ),
        ({"curation": {"rules": [{"score": "beauty", "minimum": 1}]}}, "curation.rules.beauty.score: Input should be"),
        (
            {"curation": {"rules": {"technical": {"minimum": 0.0, "maximum": None}}}},
            "curation: rules.technical.minimum is 0, but brisque measures damage: set maximum instead, and minimum to",
        ),
        (
            {"curation": {"motion": {"maximum": 1}}},
            "curation.motion: is a rule now: set curation.rules.motion and, inside the crop, curation.rules.motion_",
        ),
        (
            {"curation": {"aesthetics": {"minimum": 1}}},
            "curation.aesthetics.minimum: is a rule now: set curation.rules.aesthetic.minimum",
        ),
        (
            {"curation": {"technical_quality": {"threshold": 1}}},
            "curation.technical_quality.threshold: is a rule now: set curation.rules.technical.maximum (brisque, niqe)",
        ),
        ({"dataset": {"num_frames": 16}}, "dataset.num_frames: is 16, but the VAE takes 1 + 4n frames: use 13 or 17"),
        ({"dataset": {"max_area": 100}}, "max_area 100 is too small for ratio 1:1"),
        ({"dataset": {"ratios": ["16x9"]}}, "ratio '16x9' is not of the form height:width"),
        ({"evaluation": {"height": 50}}, "height is 50, not a multiple of 16"),
        ({"denoiser": {"model": {"head_width": 20}}}, "head_width 20 must be a multiple of 6"),
        ({"launch": {"nodes": 2}}, "launcher 'torchrun' is for one node, but nodes is 2"),
        (
            {"launch": {"sequence_parallel": 4, "ranks_per_node": 6}},
            "launch: sequence_parallel is 4, but must divide ranks_per_node, 6: use 1, 2, 3 or 6",
        ),
        (
            {"launch": {"sequence_parallel": 8, "ranks_per_node": 8}},
            "launch.sequence_parallel is 8, but must divide denoiser.model.heads, 4, and launch.ranks_per_node, 8: "
            "use 1, 2 or 4",
        ),
        ({"vae": {"launch": {"nodes": 2}}}, "vae.launch: launcher 'torchrun' is for one node, but nodes is 2"),
        ({"stages": {"joint": {"launch": {"rank": 2}}}}, "stages.joint.launch: rank: Extra inputs are not permitted"),
        (
            {"stages": {"joint": {"launch": {"sequence_parallel": 8, "ranks_per_node": 8}}}},
            "stages.joint.launch.sequence_parallel is 8, but must divide denoiser.model.heads, 4, and "
            "stages.joint.launch.ranks_per_node, 8: use 1, 2 or 4",
        ),
        ({"stages": []}, "stages is empty"),
        ({"captions": {"captioner": "endpoint"}}, "captioner 'endpoint' needs 'endpoint' and 'model'"),
    ],
)
def test_a_mistake_is_named(overrides: dict, message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        config.resolve(ROOT, "tiny", overrides)
    assert message in str(raised.value)


def test_a_mistake_in_the_preset_names_the_preset_file(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    path = tmp_path / "configs" / "tiny.yaml"
    path.write_text(path.read_text().replace("windows_per_clip:", "windows_per_clips:"))
    with pytest.raises(
        ConfigError, match=r"configs/tiny\.yaml: dataset\.windows_per_clips: unknown key \(did you mean"
    ):
        config.resolve(tmp_path, "tiny", {})


@pytest.mark.parametrize("schedule", ["every monday", "0 3 * *", "0 3 * * 1 *", "@often", "0 3 * * 1;"])
def test_a_schedule_is_a_cron_expression(schedule: str) -> None:
    with pytest.raises(ConfigError, match=r"automation\.schedule: is .*, but a schedule has five fields"):
        config.resolve(ROOT, "tiny", {"automation": {"schedule": schedule}})
    for right in ("*/15 0-6 1,15 JAN MON#2", "@weekly"):
        assert config.resolve(ROOT, "tiny", {"automation": {"schedule": right}}).automation.schedule == right


def test_an_unknown_preset_lists_those_that_exist() -> None:
    with pytest.raises(
        ConfigError, match="preset 'huge' is unknown; configs/ has: demo, finetune, shapes, tiny, v1_1, v"
    ):
        config.resolve(ROOT, "huge", {})


def test_two_stages_of_one_name() -> None:
    stage = config.resolve(ROOT, "tiny", {}).stages[0].model_dump(mode="json")
    with pytest.raises(ConfigError, match="the name 'image' is used twice"):
        config.resolve(ROOT, "tiny", {"stages": [stage, stage]})


def test_sizes_follow_the_min_max_token_rule() -> None:
    """Open-Sora Plan's example: 65536 pixels give 256×256 and, at 9:16, 144×256."""
    dataset = config.resolve(ROOT, "v1_3", {"dataset": {"max_area": 65536}}).dataset
    assert dataset.sizes() == {
        "1:1": (256, 256),
        "3:4": (192, 256),
        "4:3": (256, 192),
        "9:16": (144, 256),
        "16:9": (256, 144),
    }


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    (tmp_path / "params.yaml").write_text("preset: tiny\n")
    return tmp_path


def test_changes_are_written_once_they_are_valid(recipe: Path) -> None:
    config.change(recipe, None, ["dataset.fps=12", "curation.rules.motion.maximum=0.4"])
    settings = config.load(recipe)
    assert (settings.dataset.fps, settings.curation.rules[0].maximum) == (12, 0.4)
    before = (recipe / "params.yaml").read_text()
    with pytest.raises(ConfigError):
        config.change(recipe, None, ["dataset.num_frames=18"])
    assert (recipe / "params.yaml").read_text() == before


def test_a_stage_is_changed_by_its_name(recipe: Path) -> None:
    before = config.resolve(recipe, "tiny", {}).stages
    after = config.change(recipe, None, ["stages.video.schedule.steps=7"]).stages
    assert [stage.name for stage in after] == [stage.name for stage in before]
    assert after[:-1] == before[:-1]
    assert after[-1].schedule == before[-1].schedule.model_copy(update={"steps": 7})
    with pytest.raises(ConfigError, match="stages: 'vidoe' is none of its items: image, joint, video"):
        config.change(recipe, None, ["stages.vidoe.schedule.steps=7"])


def test_a_rule_is_changed_added_and_left_out_by_its_score(recipe: Path) -> None:
    before = config.resolve(recipe, "tiny", {}).curation
    assignments = ["aesthetic.minimum=5", "central_text.maximum=0.25", "motion_cropped=null"]
    after = config.change(recipe, None, [f"curation.rules.{each}" for each in assignments]).curation
    assert [rule.score for rule in after.rules] == ["motion", "central_text", "aesthetic", "technical"]
    assert [rule.bounds for rule in after.rules[1:3]] == [{"maximum": 0.25}, {"minimum": 5.0}]
    assert after.rule("motion_cropped") is None
    assert (after.rule("motion"), after.rule("technical")) == (before.rule("motion"), before.rule("technical"))
    assert config.load(recipe).curation == after


def test_another_preset_drops_the_old_overrides(recipe: Path) -> None:
    config.change(recipe, None, ["dataset.fps=12"])
    assert config.change(recipe, "v1_3", []).dataset.fps == 16
    assert config.load(recipe).name == "v1_3"


@pytest.mark.parametrize(
    ("assignment", "message"),
    [("dataset.fps", "not of the form"), ("name.x=1", "name"), ("seed=[", "not valid YAML")],
)
def test_a_malformed_assignment(recipe: Path, assignment: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        config.change(recipe, None, [assignment])


def test_the_prompts_of_shapes_are_the_sentences_that_no_source_shows() -> None:
    from ops.made_world.scenes import held_out_combinations

    prompts = config.resolve(ROOT, "shapes", {}).evaluation.prompts
    assert list(prompts) == [each.caption for each in held_out_combinations()]
