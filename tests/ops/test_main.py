"""How `python -m ops` ends."""

from __future__ import annotations

import pytest

from ops.__main__ import main
from ops.config import change
from ops.runtime.project import Project


@pytest.mark.costly
def test_a_step_ends_with_a_status_of_its_own(project: Project, videos, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert main(["no_such_step"]) == 2
    change(project.root, None, ["sources.videos=films", "curation.workers=1"])
    assert main(["raw_videos"]) == 1
    assert "is not a folder" in capsys.readouterr().err
    videos.empty(project.root / "films" / "a.mp4")
    assert main(["raw_videos"]) == 3
    assert "all 1 videos were rejected" in capsys.readouterr().err
    videos.slow_pan(project.root / "films" / "a.mp4")
    assert main(["raw_videos"]) == 0
    videos.slow_pan(project.root / "films" / "b.mp4", seed=4)
    change(project.root, None, ["curation.time_limit_seconds=0.001"])
    assert main(["raw_videos"]) == 4
    assert "raw_videos: 1 of 2 inputs are parked" in capsys.readouterr().err
