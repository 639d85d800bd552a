"""An incident names its samples, on a page that a person can read without anything else at hand."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch

from ops.runtime.progress import Progress
from ops.training.data.data_share import DataShare
from ops.training.launching import program
from ops.training.launching.ranks import Ranks
from ops.training.loop import loop
from ops.training.methods import denoiser
from ops.training.recording.incidents import Incident, forget_after, incidents, suspects, write_incident
from ops.training.recording.metrics_file import MetricsFile
from ops.training.recording.recorder import Records
from ops.training.recording.reporting import Reporter


@dataclass
class Heard:
    """An MLflow run that keeps what it is told."""

    run_id: str = "run"
    last_logged_step: int = -1
    files: list[tuple[str, str]] = field(default_factory=list)
    pictures: list[tuple[str, int, str]] = field(default_factory=list)

    def log(self, step: int, figures: Any) -> None: ...

    def log_file(self, path: Path, folder: str) -> None:
        assert path.is_file()
        self.files.append((folder, path.name))

    def log_picture(self, path: Path, step: int, name: str) -> None:
        assert path.is_file()
        self.pictures.append((path.name, step, name))


@pytest.fixture
def session(make_lab: Callable, alone: Ranks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A stage that drops, on its only rank, with records."""
    lab = make_lab(tmp_path / "lab")
    stages = lab.project.settings.model_dump(mode="json")["stages"]
    stages[0]["schedule"]["clipping"] = {"method": "dropping", "patience": 3}
    made = program.prepared(
        lab.change("stages", stages).job("denoiser_joint"), alone, torch.device("cpu"), denoiser.compose
    )
    heard: Any = Heard()
    reporter = Reporter(Progress.of(made.job.project, made.job.asset, 20, "steps"), None)
    made.recorder = Records(made.job, heard, MetricsFile(made.job.folder / "metrics.jsonl", None), reporter)
    return made


def train(session: Any, first: int, last: int) -> None:
    for step in range(first, last + 1):
        session.recorder.figures(step, loop.step_without_unusable(session, step, session.read(step)))


def page(session: Any, step: int) -> str:
    return (session.job.folder / "incidents" / f"step_{step:06d}.html").read_text(encoding="utf-8")


def picture(text: str) -> bytes:
    found = re.search(r"alt='curves around the step' src='data:image/png;base64,([^']+)'", text)
    assert found
    return base64.b64decode(found[1])


def test_a_dropped_batch_shows_its_samples_and_how_to_be_rid_of_them(session: Any, capsys: Any) -> None:
    train(session, 1, 2)
    before, weights = session.state.clipping.statistics, [p.clone() for p in session.state.model.parameters()]
    before.begin(1e-6, 0.0)
    train(session, 3, 3)
    assert all(torch.equal(a, b) for a, b in zip(weights, session.state.model.parameters(), strict=True))
    ids = session.named(3).sample_ids
    record = json.loads((session.job.folder / "incidents" / "step_000003.json").read_text(encoding="utf-8"))
    assert record["sample_ids"] == list(ids)
    (suspect,) = record["suspects"]
    assert (suspect["ranks"], suspect["sample_ids"]) == ("rank 0", list(ids))
    assert suspect["figures"]["norm"] == record["figures"]["largest_norm"] > 0
    assert record["figures"]["skipped"] == 1.0
    text = page(session, 3)
    for name in ids:
        row = session.method.data.samples.by_id[name]
        assert all(word in text for word in (row["path"], row["caption"], row["root"], row["item_id"], name))
        assert f"alt='frames of {row['path']}' src='data:image/jpeg;base64," in text
    items = dict.fromkeys(session.method.data.samples.by_id[name]["item_id"] for name in ids)
    assert f"soraflow curate exclude {' '.join(items)} --because &#x27;in an incident at step 3&#x27;" in text
    assert "1 of 1 gradients dropped" in text
    assert "so that no step was made" in text
    assert "step 3: 1 of 1 gradients dropped" in capsys.readouterr().out
    assert session.recorder.run.files == [("incidents", "step_000003.html")]

    train(session, 4, 4)
    session.recorder.gradients(4)
    assert picture(page(session, 3)) != picture(text), "what came after it is drawn in later"
    assert page(session, 3).replace("\n", "").count("<figure>") == len(ids)
    assert session.recorder.run.pictures == [("gradients.png", 4, "gradients")]
    assert (session.job.folder / "gradients.png").read_bytes().startswith(b"\x89PNG")


def test_a_level_that_lasts_is_told_as_such(session: Any) -> None:
    train(session, 1, 2)
    session.state.clipping.statistics.begin(1e-6, 0.0)
    session.state.clipping.streaks.lengths = {"steps": 2}
    train(session, 3, 3)
    ((_, told),) = incidents(session.job.folder)
    assert "It is so for 3 steps in a row now" in told["reason"]
    assert "lower schedule.optimizer.learning_rate" in told["reason"]
    assert session.state.clipping.statistics.mean > 1e-6


def test_a_step_that_is_not_finite_has_a_page_too(session: Any) -> None:
    torch.nn.init.constant_(next(session.state.model.parameters()), float("nan"))
    with pytest.raises(FloatingPointError, match=r"step 1: .*step_000001\.json"):
        train(session, 1, 1)
    assert "the loss or its gradient is not finite" in page(session, 1)


def test_a_source_that_is_gone_is_said_to_be(session: Any) -> None:
    name = session.named(1).sample_ids[0]
    row = session.method.data.samples.by_id[name]
    (Path(row["root"]) / row["path"]).unlink()
    blamed = suspects(DataShare(1, 1), [name], {"loss": [float("inf")]}, [0])
    incident = Incident(1, "a <b>spike</b>", {"loss": 3.0}, [name], blamed)
    path = write_incident(session.job.folder, incident, {name: row}, session.job.project, [])
    text = path.read_text(encoding="utf-8")
    assert f"cannot be shown: {row['root']}/{row['path']} is not what was curated" in text
    assert "a &lt;b&gt;spike" in text
    assert "loss inf" in text


def test_what_is_made_once_more_is_forgotten(session: Any) -> None:
    folder, project = session.job.folder, session.job.project
    for step in (4, 5, 6):
        write_incident(folder, Incident(step, "a spike", {"loss": 1.0}, []), {}, project, [])
    session.recorder.left_out(6, {"a": {"step": 6, "reason": "broken", "source": "a.mp4"}})
    forget_after(folder, 4)
    assert sorted(path.name for path in (folder / "incidents").iterdir()) == [
        "step_000004.html",
        "step_000004.json",
        "step_000006_left_out.json",
    ]


def test_samples_of_ranks_that_share_them_are_told_together() -> None:
    share = DataShare(6, 2, part=0, parts=3)
    ids = [f"s{number}" for number in range(6)]
    ranks = {"norm": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]}
    found = suspects(share, ids, ranks, [2, 0])
    assert [(each.ranks, each.sample_ids) for each in found] == [
        ("ranks 4 to 5", ("s4", "s5")),
        ("ranks 0 to 1", ("s0", "s1")),
    ]
