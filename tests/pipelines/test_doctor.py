"""`soraflow doctor` looks at the files of DVC that a crash may have left half written."""

from __future__ import annotations

from ops.runtime.project import Project
from pipelines.terminal.doctor_records import dvc_files


def test_half_written_files_of_dvc_are_found(project: Project) -> None:
    assert [finding.state for finding in dvc_files(project)] == ["ok", "ok"]
    (project.root / "dvc.lock").write_text("schema: '2.0'\nstages: {clips: {cmd", encoding="utf-8")
    found = next(finding for finding in dvc_files(project) if finding.about == "dvc.lock")
    assert found.state == "wrong"
    assert "git checkout -- dvc.lock" in found.what
