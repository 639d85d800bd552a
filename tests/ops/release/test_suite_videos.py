from __future__ import annotations

import json

from ops.evaluation.vbench.suite import SuitePrompt
from ops.release.suite_videos import make_suite
from ops.runtime.files import sha256


def test_missing_videos_of_the_suite_are_made_and_the_number_is_the_seed(world, tmp_path) -> None:
    prompt = SuitePrompt("a red square", ("color",), {"color": {"color": "red"}})
    folder = tmp_path / "videos"
    make_suite(world.project, "denoiser_video", [prompt], folder)
    files = sorted(path.name for path in folder.glob("*.mp4"))
    assert files == [f"a red square-{number}.mp4" for number in range(5)]
    hashes = {name: sha256(folder / name) for name in files}
    assert len(set(hashes.values())) == 5
    assert json.loads((folder / "a red square-3.json").read_text())["request"]["seed"] == 3

    (folder / files[2]).unlink()
    stamp = (folder / files[0]).stat().st_mtime_ns
    told: list[tuple[int, int]] = []
    make_suite(world.project, "denoiser_video", [prompt], folder, told=lambda done, total: told.append((done, total)))
    assert {name: sha256(folder / name) for name in files} == hashes
    assert (folder / files[0]).stat().st_mtime_ns == stamp
    assert told[-1] == (5, 5)
