from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from ops.config import ConfigError, Launch, Optimizer, Schedule
from ops.training.loop.engine import learning_rate
from ops.training.loop.engine_config import EngineConfig, configuration

SCHEDULE = Schedule(
    steps=10, batch_size=12, checkpoint_every=5, validate_every=5, optimizer=Optimizer(learning_rate=1e-3)
)


def configured(root: Path, content: dict[str, Any], world_size: int = 2) -> EngineConfig:
    (root / "ds.json").write_text(json.dumps(content))
    return configuration(root, Launch(deepspeed="ds.json"), SCHEDULE, world_size)


def test_the_stage_fills_in_its_numbers(tmp_path: Path) -> None:
    config = configured(tmp_path, {"zero_optimization": {"stage": 1}, "gradient_accumulation_steps": 3})
    assert (config.document["train_batch_size"], config.document["train_micro_batch_size_per_gpu"]) == (12, 2)
    assert config.document["gradient_clipping"] == 1.0
    assert config.precision is torch.float32


SHIPPED = ["zero1", "zero1_cpu", "zero2", "zero2_offload", "zero3", "zero3_offload"]


def test_each_shipped_file_is_known_here(checkout: Path) -> None:
    assert sorted(path.stem for path in (checkout / "configs" / "deepspeed").glob("*.json")) == SHIPPED


@pytest.mark.parametrize("name", SHIPPED)
def test_the_shipped_files_are_accepted(checkout: Path, name: str) -> None:
    config = configuration(checkout, Launch(deepspeed=f"configs/deepspeed/{name}.json"), SCHEDULE, 4)
    assert config.precision is (torch.float32 if name == "zero1_cpu" else torch.bfloat16)
    assert config.stage == int(name[4])
    assert config.offloads_optimizer == name.endswith("offload")


def test_deepspeed_is_told_of_ranks_as_if_each_had_samples_of_its_own(tmp_path: Path) -> None:
    """Two groups of two compute 12 samples; to DeepSpeed these are four ranks with 6 each."""
    (tmp_path / "ds.json").write_text(json.dumps({"zero_optimization": {"stage": 2}, "gradient_accumulation_steps": 3}))
    config = configuration(tmp_path, Launch(deepspeed="ds.json"), SCHEDULE, 4, ranks_of_a_video=2)
    assert (config.document["train_batch_size"], config.document["train_micro_batch_size_per_gpu"]) == (24, 2)


@pytest.mark.parametrize(
    ("content", "world_size", "words"),
    [
        ({"zero_optimization": {"stage": 1}}, 5, r"batch_size 12 cannot be divided over 5 ranks.*a multiple of 5"),
        ({"zero_optimization": {"stage": 1}}, 24, r"a multiple of 24"),
        ({"zero_optimization": {"stage": 4}}, 1, r"ds\.json: zero_optimization\.stage is 4; use 1, 2 or 3"),
        ({}, 1, r"stage is None"),
        (
            {"zero_optimization": {"stage": 2, "offload_param": {"device": "cpu"}}},
            1,
            r"ds\.json: zero_optimization\.offload_param needs stage 3, but stage is 2; remove it, or use 3",
        ),
        (
            {"zero_optimization": {"stage": 3, "offload_optimizer": {"device": "nvme"}}},
            1,
            r"ds\.json: zero_optimization\.offload_optimizer\.device is 'nvme'; use 'cpu'",
        ),
        (
            {"zero_optimization": {"stage": 2, "round_robin_gradients": True}},
            1,
            r"round_robin_gradients is true",
        ),
        (
            {"zero_optimization": {"stage": 1}, "fp16": {"enabled": True}},
            1,
            r"ds\.json: fp16\.enabled is true, .*: use bf16\.enabled",
        ),
        ({"zero_optimization": {"stage": 1}, "train_batch_size": 3}, 1, r"ds\.json: 'train_batch_size' follows from"),
    ],
)
def test_what_cannot_be_is_named(tmp_path: Path, content: dict[str, Any], world_size: int, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        configured(tmp_path, content, world_size)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"launch\.deepspeed names nowhere\.json"):
        configuration(tmp_path, Launch(deepspeed="nowhere.json"), SCHEDULE, 1)


def test_the_learning_rate_warms_up_linearly() -> None:
    settings = Optimizer(learning_rate=2.0, warmup_steps=4)
    assert [learning_rate(settings, step, 100) for step in (1, 2, 4, 5, 100)] == [0.5, 1.0, 2.0, 2.0, 2.0]
    assert learning_rate(Optimizer(learning_rate=2.0), 1, 100) == 2.0


def test_a_cosine_begins_after_the_warm_up_and_ends_at_the_final_share() -> None:
    settings = Optimizer(learning_rate=2.0, warmup_steps=4, decay="cosine", final_share=0.1)
    rates = [learning_rate(settings, step, 24) for step in range(1, 25)]
    assert rates[:4] == [0.5, 1.0, 1.5, 2.0]
    assert rates[13] == pytest.approx(1.1)  # half-way between both ends
    assert rates[-1] == pytest.approx(0.2)
    assert rates[3:] == sorted(rates[3:], reverse=True)


def test_a_warm_up_as_long_as_the_training_leaves_nothing_to_decay() -> None:
    settings = Optimizer(learning_rate=2.0, warmup_steps=4, decay="cosine")
    assert [learning_rate(settings, step, 4) for step in (1, 4)] == [0.5, 2.0]
