"""Exit statuses are those of docs/interruptions.md, and wrong calls are told in lines that fit a terminal."""

from __future__ import annotations

import io
import sys

import pytest
from rich.console import Console

from ops import __main__ as steps
from ops.exit_codes import NothingKept, TooManyParked
from ops.steps import Step
from pipelines import cli, lineage_run
from pipelines.terminal import weights

pytestmark = pytest.mark.costly


@pytest.fixture
def ends(empty, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Runs `soraflow` in this process; (exit status, what it said on standard error)."""
    for name, value in lineage_run.environment(empty.project).items():  # as the command sets them for its process
        monkeypatch.setenv(name, value)

    def run(*arguments: str) -> tuple[object, str]:
        monkeypatch.setattr(sys, "argv", ["soraflow", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return ended.value.code, " ".join(capsys.readouterr().err.split())

    return run


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "--set", "nokey=1"], "nokey: unknown key"),
        (["run", "--set", "seed"], "'seed' is not of the form key.of.setting=value"),
        (["run", "--preset", "none"], "preset 'none' is unknown"),
        (["run", "--select", "latent"], "captions, champion, checkpoint_scores, clips"),
        (["run", "--select", "latents and"], "captions, champion, checkpoint_scores, clips"),
        (["run", "--select", "no_first", "--select", "latents"], "'no_first' selects nothing"),
        (["up", "--dagster-port", "99999"], "99999 is not in the range"),
        (["up", "--mlflow-port", "0"], "0 is not in the range"),
    ],
)
def test_a_wrong_call_ends_with_2_and_says_what_is_right(ends, arguments: list[str], said: str) -> None:
    status, message = ends(*arguments)
    assert status == 2
    assert said in message


def test_a_recipe_that_cannot_be_used_ends_with_1(ends, empty) -> None:
    (empty.project.root / "params.yaml").write_text("preset: tiny\nnokey: 1\n")
    status, message = ends("weights", "list")
    assert status == 1
    assert "nokey" in message


@pytest.mark.parametrize(
    ("steps", "status"), [([3], 3), ([4], 4), ([3, 3], 3), ([3, 1], 1), ([1, 4], 1), ([3, 4], 1), ([], 1)]
)
def test_a_run_ends_as_its_steps_did_where_they_agree(steps: list[int], status: int) -> None:
    assert lineage_run.exit_status(steps) == status


@pytest.mark.parametrize(
    ("error", "status"), [(None, 0), (NothingKept("x"), 3), (TooManyParked("x"), 4), (KeyboardInterrupt(), 130)]
)
def test_a_step_ends_as_the_table_says(project, monkeypatch, error: BaseException | None, status: int) -> None:
    def work(_: object) -> None:
        if error:
            raise error

    monkeypatch.setattr(Step, "load", lambda _: work)
    assert steps.main(["clips"]) == status


def test_the_list_of_weights_fits_80_columns(project) -> None:
    output = io.StringIO()
    weights.show(project, Console(file=output, width=80))
    lines = output.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    (dover,) = (line for line in lines if line.startswith("  dover"))
    assert dover.endswith("S-Lab 1.0, non-commercial use only")
    assert lines[lines.index(dover) + 1].strip() == "DOVER technical quality"
