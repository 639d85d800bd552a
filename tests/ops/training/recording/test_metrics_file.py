from __future__ import annotations

from pathlib import Path

from ops.training.recording.metrics_file import MetricsFile, read


def test_a_resume_drops_what_came_after_its_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    first = MetricsFile(path, None)
    for step in range(5):
        first.write(step, {"loss": 1 / 3 + step})
    with path.open("a") as file:
        file.write('{"step": 5, "lo')  # the kill came in the middle of a line
    second = MetricsFile(path, 3)
    second.write(4, {"loss": 0.5})
    assert [line["step"] for line in read(path)] == [0, 1, 2, 3, 4]
    assert read(path)[3]["loss"] == 1 / 3 + 3
    assert read(path)[4]["loss"] == 0.5


def test_a_fresh_start_begins_an_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    MetricsFile(path, None).write(1, {})
    MetricsFile(path, None)
    assert read(path) == []
