"""The summary tells of one run; what lies here from others is named and not mixed in."""

from __future__ import annotations

from io import StringIO

import dagster as dg
import yaml
from rich.console import Console

from ops.evaluation.protocol import Protocol
from ops.evaluation.vbench.dimensions import DIMENSIONS
from ops.evaluation.vbench.score import NO_RUNNER, DimensionScore, VbenchResults
from ops.runtime.artifacts import Identity, Work
from ops.runtime.files import write_json
from ops.runtime.project import Project
from ops.steps import STEPS
from ops.training.results import Trained
from pipelines.made import last_run, made_by
from pipelines.terminal.summary import Run, draw


class OfPreset(Identity):
    preset: str


def trained(project: Project, asset: str, preset: str, best: float) -> str:
    work = Work(project, asset, {}, OfPreset(preset=preset), Trained)
    write_json(work.folder / "job.json", {"settings": {"name": preset}})
    results = Trained(
        released="checkpoints/step_000010/ema",
        metric="psnr" if asset == "wfvae" else "held_out_loss",
        higher_is_better=asset == "wfvae",
        first=5.0,
        last=best,
        best=best,
        best_step=10,
        steps=10,
        left_out={},
        seconds=1.0,
        mlflow_run_id="r",
        logged_model=None,
        dataset_version="d",
        init_from=None,
        checkpoints=(),
    )
    return work.finish(version=f"{asset} of {preset}", results=results).version


def shown(run: Run) -> str:
    console = Console(file=StringIO(), width=100)
    draw(run, console)
    return " ".join(console.file.getvalue().split())  # type: ignore[attr-defined]


def test_a_run_that_failed_shows_what_it_made_and_names_the_rest(project: Project) -> None:
    trained(project, "wfvae", "v1_3", 17.5)
    trained(project, "denoiser_video", "v1_3", 0.25)
    stages = {name: {"cmd": "", "outs": [{"path": STEPS[name].output, "md5": "old"}]} for name in STEPS}
    (project.root / "dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": stages}), encoding="utf-8")
    made = {"raw_videos": "new", "wfvae": trained(project, "wfvae", "tiny", 12.5)}
    text = shown(Run(project, made))
    assert "wfvae PSNR 5 12.5" in text
    assert "17.5" not in text
    assert "Curation" not in text  # what the tables hold is a mixture of two runs
    older = text[text.index("Of earlier runs, so not shown:") :]
    assert "denoiser_video (of preset v1_3)" in older
    assert "curated_clips" in older
    assert "wfvae" not in older


def test_what_a_run_made_stays_told_when_another_has_made_it_anew(project: Project) -> None:
    first = trained(project, "wfvae", "tiny", 12.5)
    trained(project, "wfvae", "v1_3", 17.5)
    assert "wfvae PSNR 5 12.5" in shown(Run(project, {"wfvae": first}))


def test_only_weights_that_are_missing_are_said_to_be(project: Project) -> None:
    reasons = {
        "temporal_flickering": None,
        "subject_consistency": "not available: needs dino",
        "scene": "not available: needs tag2text",
        "dynamic_degree": NO_RUNNER,
        "motion_smoothness": "not available: 1 of 4 videos: has 1 of the 2 frames that motion_smoothness needs",
    }
    groups = {dimension.name: dimension.group for dimension in DIMENSIONS}
    rows = tuple(
        DimensionScore(step=4, dimension=name, group=groups[name], score=None if reason else 0.5, reason=reason)
        for name, reason in reasons.items()
    )
    made = Protocol("t2v-custom/v1", {})
    results = VbenchResults(
        scores=rows, dimensions=rows, protocol=made.id, protocol_terms=made, totals={}, totals_reason="incomplete"
    )
    work = Work(project, "vbench", {}, OfPreset(preset="tiny"), VbenchResults)
    text = shown(Run(project, {"vbench": work.finish("scored", results).version}))
    assert "temporal_flickering 0.5000" in text
    assert "their weights are missing (soraflow weights list): subject_consistency, scene not" in text
    assert "needs VBench's own runner; its network is not written here: dynamic_degree" in text
    assert "has 1 of the 2 frames that motion_smoothness needs: motion_smoothness" in text


def test_dagster_remembers_what_a_run_made() -> None:
    @dg.asset
    def wfvae() -> dg.MaterializeResult:
        return dg.MaterializeResult(data_version=dg.DataVersion("v1"))

    @dg.asset(deps=[wfvae])
    def latents() -> None:
        raise RuntimeError("no space left")

    with dg.DagsterInstance.ephemeral() as instance:
        run = dg.materialize([wfvae, latents], instance=instance, raise_on_error=False)
        assert made_by(instance, run.run_id) == {"wfvae": "v1"}
        assert last_run(instance) == run.run_id
