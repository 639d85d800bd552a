from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ops.data.samples import SAMPLES
from ops.runtime import tables
from ops.training.data.data_order import DataOrder
from ops.training.data.samples import TrainingSamples, drawn


def held_out(**buckets: int) -> dict[str, list[str]]:
    return {bucket: [f"{bucket}{number:03d}" for number in range(count)] for bucket, count in buckets.items()}


def samples(count: int, chosen: list[str]) -> TrainingSamples:
    rows: Any = [{"sample_id": name} for name in chosen]
    nobody: Any = {}
    return TrainingSamples(nobody, 1, count, rows, DataOrder({"wide": ("a",)}, {"wide": 1}, 1, "v"))


def test_a_validation_draws_evenly_and_sees_every_bucket() -> None:
    everything = held_out(wide=600, tall=300, still=2)
    chosen = drawn(everything, 93, seed=1)
    counts = Counter(name[:-3] for name in chosen)
    assert counts.total() == 93
    assert abs(counts["wide"] - 2 * counts["tall"]) <= 2
    assert counts["still"] == 1
    assert chosen != drawn(everything, 93, seed=2)
    assert samples(902, chosen).notes() == [
        "validation looks at 93 of 902 held-out samples (schedule.validate_samples)"
    ]


def test_a_set_that_grows_a_little_is_drawn_from_as_before() -> None:
    before, after = (drawn(held_out(wide=count), 50, seed=1) for count in (500, 520))
    assert len({*before} & {*after}) >= 44


def test_all_are_looked_at_when_there_are_few() -> None:
    everything = held_out(wide=5, still=3)
    chosen = drawn(everything, 8, seed=1)
    assert sorted(chosen) == sorted(everything["wide"] + everything["still"])
    assert samples(8, chosen).notes() == []


def test_a_training_sees_the_samples_that_are_cut_for_it(make_lab: Callable[[Path], Any], tmp_path: Path) -> None:
    lab = make_lab(tmp_path / "lab").change("vae.dataset", {"num_frames": 9})
    rows = tables.read(lab.samples)
    own = [{**row, "sample_id": f"own-{row['sample_id']}", "cut": "num_frames=9"} for row in rows]
    tables.write(lab.samples, [*rows, *own], SAMPLES)
    for asset, prefix in (("wfvae", "own-"), ("denoiser_joint", "")):
        samples = TrainingSamples.of(lab.job(asset), ("video", "image"))
        shown = {name for ids in samples.order.buckets.values() for name in ids}
        assert shown == {f"{prefix}{row['sample_id']}" for row in rows if row["split"] == "train"}
        assert {row["sample_id"] for row in samples.looked_at} == {
            f"{prefix}{row['sample_id']}" for row in rows if row["split"] == "held_out"
        }
