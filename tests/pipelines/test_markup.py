"""Names and messages are shown as they are: `[id]` is no markup, wherever it comes from."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from rich.console import Console

from ops.data.exports.manifest import Export
from ops.release import standing
from ops.release.results import ReleaseResults
from ops.runtime.artifacts import Identity, Work
from ops.runtime.project import Project
from pipelines import cli
from pipelines.terminal import doctor, exports, summary

ODD = "film [id] [/] [bold]x[/bold].mp4"


@pytest.mark.parametrize(
    ("arguments", "status"), [(["weights", "fetch", ODD], 1), (["run", "--preset", ODD], 2), (["run", "--set", ODD], 2)]
)
def test_an_error_names_what_it_is_about(
    project: Project,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    status: int,
) -> None:
    monkeypatch.setattr(sys, "argv", ["soraflow", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == status
    printed = capsys.readouterr()
    assert ODD in " ".join((printed.err or printed.out).split())


def shown(print_it) -> str:
    console = Console(record=True, width=200)
    print_it(console)
    return console.export_text()


def test_an_export_shows_its_folder_and_notes(tmp_path: Path) -> None:
    made = Export(tmp_path / ODD, 1, 1, 1, 1, (f"1 left out: {ODD}",))
    told = shown(lambda console: exports._show(made, console))
    assert told.count(ODD) == 2


def test_the_summary_shows_the_decision_of_the_gate(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standing, "standing", lambda *_: standing.Standing("version 1 is champion", as_decided=True))
    results = ReleaseResults(
        registered_model="squares",
        version=1,
        alias="candidate",
        promoted=False,
        decision=f"made from {ODD}",
        reasons=(),
        findings=(),
    )
    Work(project, "champion", {}, Identity(), ReleaseResults).finish("1" * 32, results)
    run = summary.Run(project, {"champion": "1" * 32})
    assert f"made from {ODD}" in shown(lambda console: summary.draw(run, console))


def test_the_doctor_shows_names_and_remedies(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    found = doctor.Finding("wrong", "weights", ODD, f"put {ODD} there")
    monkeypatch.setattr(doctor, "_weights", lambda _: iter([found]))
    for part in ("_machine", "_parsers", "_decoders"):
        monkeypatch.setattr(doctor, part, lambda _: iter(()))
    monkeypatch.setattr(doctor, "_slots", lambda *_: iter(()))
    assert shown(lambda console: doctor.examine(project, console, False)).count(ODD) == 2
