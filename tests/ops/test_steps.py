import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ops.config import resolve
from ops.data import dvc_file
from ops.data.resolved_settings import watched
from ops.steps import STEPS, UnknownStep, pipeline, step

ROOT = Path(__file__).parents[2]


def test_dvc_yaml_is_what_the_steps_say():
    assert (ROOT / "dvc.yaml").read_text() == dvc_file.text(), "run: python -m ops.data.dvc_file"
    assert yaml.safe_load(dvc_file.text()) == pipeline()


def test_steps_come_after_what_they_are_made_from():
    seen: set[str] = set()
    for found in STEPS.values():
        assert set(found.inputs) <= seen, found.name
        seen.add(found.name)


def test_steps_watch_settings_that_exist():
    tree = watched(resolve(ROOT, "tiny", {}))
    for found in STEPS.values():
        for key in found.settings:
            value = tree
            for part in key.split("."):
                assert part in value, f"{found.name} watches {key}"
                value = value[part]


def test_listing_the_steps_imports_nothing_heavy():
    code = "import sys, ops.steps; print([m for m in ('torch','dvc','pyarrow','av','matplotlib') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"


def test_an_unknown_step_is_named_with_those_that_exist():
    with pytest.raises(UnknownStep, match="unknown step 'shot'; the steps are: settings, raw_videos"):
        step("shot")


@pytest.mark.parametrize(("arguments", "message"), [(["nonsense"], "training_set"), ([], "usage")])
def test_the_command_line_ends_with_2_without_a_step(arguments: list[str], message: str):
    done = subprocess.run([sys.executable, "-m", "ops", *arguments], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert message in done.stderr


def test_an_unusable_recipe_is_told_without_a_traceback(tmp_path: Path):
    (tmp_path / "configs").mkdir()
    (tmp_path / "params.yaml").write_text("preset: gone\n")
    done = subprocess.run([sys.executable, "-m", "ops", "settings"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    assert "preset 'gone' is unknown" in done.stderr
    assert "Traceback" not in done.stderr
