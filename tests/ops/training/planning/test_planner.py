"""The plan of a training by the recipe and its launch; what cannot fit is refused with what would."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from ops.config import ConfigError
from ops.runtime.project import Project
from ops.training.planning.page import lines
from ops.training.planning.plan import Plan
from ops.training.planning.planner import SECONDS_A_DAY, disk_of, plan_of
from ops.training.trainings import training

SMALL = {"layers": 2, "heads": 2, "head_width": 12}


def planned(project: Project, memory_gib: float | None = None, counts: Any = None, **launch: Any) -> Plan:
    """Of the stage `video` of a small denoiser, whose largest bucket is 17x64x64, on accelerators that are not here."""
    whole = {"accelerator": "npu", "deepspeed": "configs/deepspeed/zero1.json", "memory_gib": memory_gib, **launch}
    recipe = {"preset": "tiny", "denoiser": {"model": SMALL}, "launch": whole}
    (project.root / "params.yaml").write_text(yaml.safe_dump(recipe), encoding="utf-8")
    changed = Project(project.root)
    return plan_of(changed, training(changed.settings, "denoiser_video"), counts, compared=True)


def test_buckets_with_too_few_samples_are_no_part_of_it(project: Project) -> None:
    """Half a batch is the least."""
    every = {"steps": 2, "checkpoint_every": 2, "validate_every": 2, "optimizer": {"learning_rate": 1.0e-3}}
    schedule = {**every, "batch_size": 8, "least_batches": 0.5}
    stages = [{"name": "video", "kinds": ["video"], "schedule": schedule}]
    (project.root / "params.yaml").write_text(yaml.safe_dump({"preset": "tiny", "stages": stages}), encoding="utf-8")
    changed = Project(project.root)
    found = training(changed.settings, "denoiser_video")
    plan = plan_of(changed, found, {"17x64x64": 3, "9x48x64": 8})
    assert (plan.bucket, plan.samples, [*plan.tokens]) == ("9x48x64", 8, ["9x48x64"])
    with pytest.raises(ConfigError, match=r"denoiser_video: no bucket has samples .* 17x64x64 has 3"):
        plan_of(changed, found, {"17x64x64": 3})


@pytest.mark.costly
def test_what_cannot_fit_is_refused_with_the_setting_that_would(project: Project) -> None:
    roomy = planned(project)
    assert (roomy.fits, roomy.obstacle, roomy.days) == (None, None, None)
    assert roomy.activations_kept is not None
    assert roomy.activations_recomputed is not None
    assert roomy.activations_recomputed < roomy.activations_kept
    tight = planned(project, memory_gib=0.95 * roomy.memory.most / 2**30)
    assert tight.fits is False
    assert tight.obstacle is not None
    assert "stages.video.gradient_checkpointing=true" in tight.obstacle
    assert "GiB on each of 1 rank(s)" in tight.obstacle
    hopeless = planned(project, memory_gib=1e-6)
    assert hopeless.obstacle is not None
    assert "use more ranks or smaller samples (dataset.max_area)" in hopeless.obstacle


def test_days_are_flops_by_what_ranks_reach_of_their_peak(project: Project) -> None:
    plan = planned(project, peak_tflops=2.0, utilisation=0.5, ranks_per_node=4)
    assert plan.flops_a_step == 8 * plan.flops["17x64x64"]
    assert plan.tokens_a_step == 8 * 5 * 4 * 4
    seconds = plan.flops_a_step / (4 * 2e12 * 0.5)
    assert plan.days == pytest.approx(20 * seconds / SECONDS_A_DAY)
    by_sheet = planned(project, model="ascend-910b")
    assert (by_sheet.hardware.tflops, by_sheet.hardware.memory_gib) == (376, 64)
    assert "arXiv" in by_sheet.hardware.peak_source


def test_a_step_is_the_mean_over_the_batches_of_each_bucket(project: Project) -> None:
    """Sixteen samples of one bucket are two batches of eight, three of another are one."""
    plan = planned(project, counts={"17x64x64": 16, "9x48x64": 3})
    assert plan.samples == 19
    assert plan.flops_a_step == round(8 * (2 * plan.flops["17x64x64"] + plan.flops["9x48x64"]) / 3)
    latents = 2 * 4 * 8 * (16 * 5 * 8 * 8 + 3 * 3 * 6 * 8)
    assert plan.disk["latents"] == latents
    assert plan.disk["text"] == 19 * 4 * 384 * 64


def test_checkpoints_take_what_is_kept_of_them(project: Project) -> None:
    """Weights in two bytes, four numbers of four bytes each; three newest, the best, and one while it is written."""
    plan = planned(project)
    of = training(Project(project.root).settings, "denoiser_video")
    assert disk_of(project, of, None) == {"checkpoints": 5 * plan.parameters * (2 + 4 * 4)}


def test_the_page_fits_a_narrow_terminal_and_says_what_is_unknown(project: Project) -> None:
    for plan in (planned(project), planned(project, model="ascend-910b", counts={"17x64x64": 16})):
        page = lines(plan)
        assert max(map(len, page)) <= 80, page
        assert Plan.model_validate_json(plan.model_dump_json()) == plan
    assert any("set launch.model or launch.memory_gib" in line for line in lines(planned(project)))
