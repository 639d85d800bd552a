"""The truth measures: of videos that keep their prompts, of videos that do not, and of prompts of another world."""

from __future__ import annotations

import numpy as np
import pytest

from ops.evaluation import samples, truth
from ops.evaluation.samples import SamplesResults
from ops.evaluation.truth import NO_PROMPTS, TruthResults
from ops.made_world.drawing import draw
from ops.made_world.scenes import held_out_combinations, scene_of
from ops.metrics.truth import CHANCE, MEASURES
from ops.runtime import tables
from ops.runtime.artifacts import Identity, Work, current
from ops.runtime.files import sha256
from ops.runtime.mp4 import write_mp4


class Drawn(Identity):
    drawn: bool = True


def made_samples(world, frames_of) -> None:
    """A `samples` artifact of one checkpoint whose videos are drawn: one for each held-out sentence."""
    real = samples.make_samples(world.project)
    work = Work(world.project, samples.ASSET, real.inputs, Drawn(), SamplesResults)
    rows = []
    for index, combination in enumerate(held_out_combinations()):
        file = f"step_000004/{index:02d}.mp4"
        frames = frames_of(combination, np.random.default_rng(index))
        write_mp4(work.folder / file, frames, 8)
        row = {"step": 4, "prompt_index": index, "prompt": combination.caption, "seed": 0, "file": file}
        rows.append({**row, "sha256": sha256(work.folder / file), "frames": len(frames)})
    tables.write(work.folder / "manifest.parquet", rows, samples.MANIFEST)
    of_one = {"steps": (4,), "best_step": 4, "videos": len(rows)}
    work.finish(f"drawn-{frames_of.__name__}", real.results.model_copy(update=of_one))


def as_asked(combination, random) -> np.ndarray:
    return draw(scene_of(combination, random), 5, 32)


def mush(combination, random) -> np.ndarray:
    return random.normal([130, 110, 130], 4, (5, 32, 32, 3)).astype(np.uint8)


def test_prompts_of_another_world_have_no_truth_to_keep(world) -> None:
    samples.make_samples(world.project)
    found = truth.score(world.project).results
    assert {row.reason for row in found.scores} == {NO_PROMPTS}
    assert {row.share for row in found.scores} == {None}
    assert (found.videos, found.shuffled, found.reconstruction) == (0, {}, {})
    assert all(each.value is None for each in truth.scores_of(current(world.project, truth.ASSET, TruthResults), 4))


def test_videos_that_keep_their_prompts_reach_all_and_shuffled_ones_chance(world) -> None:
    made_samples(world, as_asked)
    artifact = truth.score(world.project)
    found = {row.measure: row for row in artifact.results.scores}
    assert list(found) == list(MEASURES)
    assert {word: row.share for word, row in found.items()} == dict.fromkeys(MEASURES, 1.0)
    assert {word: row.chance for word, row in found.items() if row.chance} == CHANCE
    assert artifact.results.shuffled["all"] < 0.3
    assert artifact.results.shuffled["presence"] == 1.0
    scores = {each.metric: each for each in truth.scores_of(artifact, 4)}
    assert scores["truth_direction"].value == 1.0
    assert scores["truth_direction"].protocol.id.startswith("made-world/v1#")
    assert truth.score(world.project) == artifact


def test_mush_keeps_nothing_and_a_vae_that_never_learned_gives_nothing_back(world) -> None:
    made_samples(world, mush)
    results = truth.score(world.project).results
    assert {row.share for row in results.best} == {0.0}
    assert results.reconstruction["colour"] < 0.5
    rows = tables.read(current(world.project, truth.ASSET, TruthResults).folder / "videos.parquet")
    assert {row["seen"] for row in rows if row["of"] == "samples"} == {None}


def test_checkpoints_can_be_chosen_by_it() -> None:
    from ops.evaluation import checkpoint_scores

    assert (
        checkpoint_scores.best_step(
            {step: [_score(value)] for step, value in ((2, 0.4), (4, 0.9), (6, None))}, "truth_all"
        )
        == 4
    )
    with pytest.raises(checkpoint_scores.NoBestCheckpoint, match="no prompt of evaluation"):
        checkpoint_scores.best_step({2: [_score(None)]}, "truth_all")


def _score(value: float | None):
    from ops.evaluation.protocol import Protocol, Score

    return Score("truth_all", value, Protocol("p", {}), True, None if value is not None else NO_PROMPTS)
