"""Curation under SIGKILL: what was finished stays finished, and the tables are those of a run that nobody disturbed."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ops.curation.measuring.ledger import Ledger
from ops.curation.measuring.scores import ScoreStore
from ops.runtime import tables
from ops.runtime.project import Project

pytestmark = pytest.mark.costly

WORKERS = 2
CHEAP: dict[str, Any] = {
    "workers": WORKERS,
    "sampling": {"frames_per_second": 4.0},
    "text_crop": {"frames_per_second": 0.1},  # one frame a clip; finding text takes longer than all else together
}


class Curation:
    """`curation_to_kill.py` over one project."""

    def __init__(self, project: Project, log: Path) -> None:
        self.project, self.log = project, log
        script = Path(__file__).with_name("curation_to_kill.py")
        command = [sys.executable, str(script), str(log)]
        environment = {**os.environ, "SORAFLOW_PROJECT": str(project.root), "OMP_NUM_THREADS": "1"}
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, text=True)
        assert self._answer() == "ready"

    def start_over(self) -> None:
        """Forget everything that was ever measured or written."""
        for folder in (self.project.data, self.project.var):
            shutil.rmtree(folder, ignore_errors=True)
        self.log.write_text("")

    def begin(self) -> int:
        """The number of the process, which may be killed until `end` is called, whether it is over or not."""
        self._say("run")
        return int(self._answer())

    def end(self) -> int:
        """Wait; the exit status, or the negative number of the signal."""
        self._say("over")
        return int(self._answer())

    def tables(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self.project.data.glob("*.parquet")}

    def attempts(self) -> list[dict[str, Any]]:
        return Ledger.of(self.project).attempts()

    def finished(self) -> Counter[tuple[str, str]]:
        """{(step, file): how many of its clips have been finished, over all attempts}."""
        done: Counter[tuple[str, str]] = Counter()
        for each in self.attempts():
            done[each["step"], each["path"]] += each["subjects"] * (each["outcome"] == "finished")
        return +done

    def decodings(self) -> list[tuple[float, str]]:
        """(time, name) of every file that was opened."""
        lines = (line.split("\t") for line in self.log.read_text().splitlines())
        return [(float(when), Path(file).name) for when, _, file in lines]

    def close(self) -> None:
        self._process.kill()
        self._process.wait()

    def _say(self, word: str) -> None:
        self._process.stdin.write(f"{word}\n")  # type: ignore[union-attr]
        self._process.stdin.flush()  # type: ignore[union-attr]

    def _answer(self) -> str:
        return self._process.stdout.readline().strip()  # type: ignore[union-attr]


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory, videos) -> Path:
    from PIL import Image

    folder = tmp_path_factory.mktemp("library") / "films"
    for seed in range(6):
        videos.slow_pan(folder / f"pan_{seed}.mp4", frames=24 + 3 * seed, seed=seed)
    videos.hard_cut(folder / "cut.mp4", cuts=(30,), frames=60)
    videos.bottom_subtitle(folder / "subtitle.mp4", frames=24)
    videos.flicker(folder / "flicker.mp4", frames=24)
    videos.ten_frames(folder / "ten.mp4")
    videos.wrong_extension(folder / "letter.mp4")
    for seed in range(3):
        Image.fromarray(videos.scene(seed)).save(folder / f"picture_{seed}.png")
    return folder


@pytest.fixture(scope="module")
def curation(
    tmp_path_factory: pytest.TempPathFactory, films: Path, shared_weights: Path, checkout: Path, recipe
) -> Iterator[Curation]:
    root = tmp_path_factory.mktemp("killed")
    shutil.copytree(checkout / "configs", root / "configs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SORAFLOW_WEIGHTS", str(shared_weights))
        project = recipe(Project(root), CHEAP, videos=str(films), images=str(films))
        begun = Curation(project, root / "decodings.txt")
        yield begun
        begun.close()


@pytest.mark.parametrize("wanted", [5, pytest.param(20, marks=pytest.mark.slow)])
def test_kills_change_nothing_and_cost_only_what_was_under_way(
    curation: Curation, films: Path, recipe, wanted: int
) -> None:
    """Killed are, by turns, the whole process group and only the process that runs the steps.

    The limit of attempts is raised: a hand that kills so often within seconds is no fault of the file that was
    under way, and may well hit the same one thrice. The limit has a test of its own below.
    """
    recipe(curation.project, {**CHEAP, "max_attempts": wanted}, videos=str(films), images=str(films))
    curation.start_over()
    before = time.monotonic()
    curation.begin()
    assert curation.end() == 0
    seconds = time.monotonic() - before
    expected, finished = curation.tables(), curation.finished()
    assert len(expected) >= 11
    assert {each["outcome"] for each in curation.attempts()} == {"finished"}
    assert {name for _, name in curation.decodings()} == {path for _, path in finished}

    chance, kills, under_way = random.Random(20), 0, 0
    while kills < wanted:
        curation.start_over()
        in_this_round, status = 0, None
        while status != 0:
            process = curation.begin()
            if kills < wanted:
                time.sleep(chance.uniform(0, seconds / 4))
                (os.killpg if kills % 2 else os.kill)(process, signal.SIGKILL)
            status = curation.end()
            assert status in (0, -signal.SIGKILL)
            kills += status != 0
            in_this_round += status != 0
        assert curation.tables() == expected
        assert curation.finished() == finished, "something finished was measured again"
        killed = [each for each in curation.attempts() if each["outcome"] != "finished"]
        assert {each["outcome"] for each in killed} <= {"killed"}
        assert len(killed) <= in_this_round * WORKERS
        under_way += len(killed)
        assert_decoded_only_for_attempts(curation)
    assert under_way > 0, "no kill hit anything"
    print(f"{kills} kills, {under_way} attempts under way; an undisturbed run takes {seconds:.1f} s")


def assert_decoded_only_for_attempts(curation: Curation) -> None:
    """No file was opened but for an attempt that the ledger knows of; its clock and ours are the same."""
    attempts: dict[str, list[dict[str, Any]]] = {}
    for each in curation.attempts():
        attempts.setdefault(Path(each["path"]).name, []).append(each)
    for when, name in curation.decodings():
        assert any(each["started"] <= when <= each["ended"] for each in attempts[name]), (when, name)


def test_a_file_that_kills_every_run_is_given_up_and_all_else_is_done(
    curation: Curation, films: Path, videos, recipe, tmp_path: Path
) -> None:
    shutil.copytree(films, tmp_path / "films")
    videos.slow_pan(tmp_path / "films" / "killer.mp4", seed=9)
    recipe(curation.project, CHEAP, videos=str(tmp_path / "films"))
    curation.start_over()
    statuses = []
    for _ in range(5):
        curation.begin()
        statuses.append(curation.end())
    assert statuses == [-signal.SIGKILL] * 3 + [0, 0]
    rows = {row["path"]: row for row in tables.read(curation.project.table("raw_videos"))}
    assert (rows["killer.mp4"]["reason_code"], rows["killer.mp4"]["rejected_by"]) == ("crashed", "raw_videos")
    assert "the run was killed" in rows["killer.mp4"]["reason"]
    (parked,) = Ledger.of(curation.project).parked()
    assert (parked.step, parked.path, parked.attempts) == ("raw_videos", "killer.mp4", 3)
    outcomes = Counter(each["outcome"] for each in curation.attempts() if each["step"] == "raw_videos")
    assert outcomes["killed"] <= 3 + WORKERS - 1, "the second try and the third are made alone"
    others = {row["path"] for row in rows.values() if row["rejected_by"] is None}
    assert others >= {f"pan_{seed}.mp4" for seed in range(6)}


def since(curation: Curation, before: list[dict[str, Any]]) -> Counter[tuple[str, str]]:
    """{(step, file): attempts} that have been made since."""
    return Counter((each["step"], each["path"]) for each in curation.attempts()[len(before) :])


def scores_by_step(curation: Curation) -> Counter[str]:
    with ScoreStore.of(curation.project) as store:
        query = "select step, count(*) from scores join identities on identities.id = scores.identity group by step"
        return Counter(dict(store.database.execute(query)))


def test_a_new_video_and_a_changed_setting_cost_what_depends_on_them(
    curation: Curation, films: Path, videos, recipe, tmp_path: Path
) -> None:
    shutil.copytree(films, tmp_path / "films")

    def run(**changes: Any) -> Counter[tuple[str, str]]:
        recipe(curation.project, {**CHEAP, **changes}, videos=str(tmp_path / "films"), images=str(tmp_path / "films"))
        before = curation.attempts()
        curation.log.write_text("")
        curation.begin()
        assert curation.end() == 0
        made = since(curation, before)
        assert {name for _, name in curation.decodings()} == {path for _, path in made}
        return made

    curation.start_over()
    everything = run()
    assert len({path for _, path in everything}) == 14
    assert run() == {}

    videos.slow_pan(tmp_path / "films" / "new.mp4", seed=11)
    assert run() == {("raw_videos", "new.mp4"): 1, ("shots", "new.mp4"): 1}
    videos.duplicate(tmp_path / "films" / "same_again.mp4", tmp_path / "films" / "new.mp4")
    assert run() == {("raw_videos", "same_again.mp4"): 1}

    scores = scores_by_step(curation)
    made = run(aesthetics={"frames": 3})
    assert {step for step, _ in made} == {"aesthetics"}
    more = scores_by_step(curation) - scores
    assert set(more) - {"decoding"} == {"aesthetics"}
    assert more["aesthetics"] == scores["text_crop"], "every clip that got so far, and no other"

    whole = {**CHEAP["text_crop"], "max_share": 0.01}
    made = run(text_crop=whole)
    assert made == {("aesthetics", "subtitle.mp4"): 1}, "only its crop is another one now"

    resampled = run(sampling={"frames_per_second": 6.0})
    assert {step for step, _ in resampled} == {"shots"}, "one pass for all that follows"
    assert {path for _, path in resampled} == {path for step, path in everything if step == "shots"} | {"new.mp4"}
