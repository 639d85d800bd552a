"""A real DVC repository in a temporary folder, with three small steps in place of the real ones."""

import os
import subprocess
import sys
import threading
from pathlib import Path
from shutil import copytree

import pytest
import yaml

from ops import config, steps
from ops.config import ConfigError
from ops.data import dvc
from ops.data.content_version import content_version
from ops.data.dvc_repository import BrokenLock, open_repository
from ops.runtime.project import Project
from ops.steps import SETTINGS_FILE, Step

pytestmark = pytest.mark.costly

ROOT = Path(__file__).parents[3]
WORK = """
import sys
from pathlib import Path
from ops.runtime.files import replacing
from ops.runtime.project import Project

def put(path, text):
    with replacing(path) as temporary:
        temporary.write_text(text)

def note(project, name):
    with (project.root / "ran.txt").open("a") as file:
        file.write(name + "\\n")

def listing(project):
    note(project, "listing")
    put(project.data / "listing.txt", (project.root / "source.txt").read_text())

def scores(project):
    note(project, "scores")
    text = (project.data / "listing.txt").read_text()
    put(project.data / "scores.txt", f"{text} {project.settings.curation.rule('motion').minimum}")

def pictures(project):
    note(project, "pictures")
    put(project.data / "pictures" / "a.txt", (project.data / "scores.txt").read_text())
    put(project.data / "pictures" / "b.txt", "b")

if __name__ == "__main__":
    globals()[sys.argv[1]](Project(Path.cwd()))
"""
STEPS = {
    "listing": Step("listing", "work:listing", (), ("sources.videos",), "data/listing.txt"),
    "scores": Step("scores", "work:scores", ("listing",), ("curation.rules.motion",), "data/scores.txt"),
    "pictures": Step("pictures", "work:pictures", ("scores",), (), "data/pictures"),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of three steps: its own DVC repository, without git."""
    root = tmp_path / "project"
    copytree(ROOT / "configs", root / "configs")
    (root / "params.yaml").write_text("preset: tiny\n")
    (root / "source.txt").write_text("clips")
    (root / "work.py").write_text(WORK)
    monkeypatch.setattr(steps, "STEPS", STEPS)
    monkeypatch.syspath_prepend(str(root))
    monkeypatch.delitem(sys.modules, "work", raising=False)
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent) + os.pathsep + os.environ["PATH"])
    stages = steps.pipeline()["stages"]
    for name in STEPS:
        stages[name]["cmd"] = f"python work.py {name}"
    (root / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
    monkeypatch.chdir(tmp_path)  # the current folder is somebody else's: Dagster's, say
    return root


def make_all(root: Path, **options: bool) -> list[str]:
    return [dvc.materialise(Project(root), name, **options).action for name in STEPS]


def ran(root: Path) -> list[str]:
    log = root / "ran.txt"
    names = log.read_text().split() if log.is_file() else []
    log.unlink(missing_ok=True)
    return names


def command(root: Path, *arguments: str) -> str:
    done = subprocess.run([sys.executable, "-m", "dvc", *arguments], cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def git(root: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=Test", "-c", "user.email=test@localhost"]
    subprocess.run(["git", *identity, *arguments], cwd=root, check=True, capture_output=True)


def set_minimum(root: Path, value: float) -> None:
    (root / "params.yaml").write_text(f"preset: tiny\ncuration: {{rules: {{motion: {{minimum: {value}}}}}}}\n")


def test_after_materialising_dvc_finds_nothing_to_do(folder: Path):
    assert make_all(folder) == ["made"] * 3
    assert "up to date" in command(folder, "status")
    ran(folder)
    printed = command(folder, "repro")
    assert ran(folder) == []
    for name in ("settings", *STEPS):
        assert f"Stage '{name}' didn't change, skipping" in printed


def test_after_repro_materialising_finds_the_work_done(folder: Path):
    open_repository(Project(folder)).close()  # tells DVC's command line that there is no git
    command(folder, "repro")
    assert ran(folder) == list(STEPS)
    assert make_all(folder) == ["unchanged"] * 3
    assert ran(folder) == []


def test_the_settings_come_first_for_dvc_too(folder: Path):
    open_repository(Project(folder)).close()
    printed = command(folder, "repro", "pictures")  # needs the settings, but not directly
    order = [line for line in printed.splitlines() if line.startswith("Running stage")]
    assert order == [f"Running stage '{name}':" for name in ("settings", *STEPS)]


@pytest.mark.parametrize("how", ["materialise", "repro"])
def test_a_threshold_reruns_its_step_and_what_follows(folder: Path, how: str):
    make_all(folder)
    ran(folder)
    set_minimum(folder, 0.2)
    if how == "repro":
        command(folder, "repro")
        assert make_all(folder) == ["unchanged"] * 3
    else:
        assert make_all(folder) == ["unchanged", "made", "made"]
    assert ran(folder) == ["scores", "pictures"]
    assert (folder / "data" / "pictures" / "a.txt").read_text() == "clips 0.2"


@pytest.mark.parametrize("how", ["materialise", "repro"])
def test_a_recipe_of_one_run_is_a_change_that_the_next_run_takes_back(folder: Path, how: str):
    made = make_all(folder)
    before = (folder / "data" / "pictures" / "a.txt").read_text()
    recipe = config.load(folder, assignments=["curation.rules.motion.minimum=0.2"])
    one_run = Project(folder, recipe=recipe)
    assert [dvc.materialise(one_run, name).action for name in STEPS] == ["unchanged", "made", "made"]
    assert (folder / "data" / "pictures" / "a.txt").read_text() == "clips 0.2"
    assert list(dvc.stale(Project(folder))) == ["settings"]
    ran(folder)
    if how == "repro":
        command(folder, "repro")
        assert make_all(folder) == ["unchanged"] * len(made)
    else:
        assert make_all(folder) == ["unchanged", "restored", "restored"]
    assert ran(folder) == [], "the run cache had it"
    assert (folder / "data" / "pictures" / "a.txt").read_text() == before
    assert "up to date" in command(folder, "status")


def test_a_setting_that_no_step_watches_changes_nothing(folder: Path):
    make_all(folder)
    (folder / "params.yaml").write_text("preset: tiny\nautomation: {min_new_items: 7}\n")
    assert make_all(folder) == ["unchanged"] * 3
    assert "up to date" in command(folder, "status")


def test_an_earlier_threshold_comes_back_from_the_run_cache(folder: Path):
    make_all(folder)
    first = dvc.version(Project(folder), "scores")
    set_minimum(folder, 0.2)
    make_all(folder)
    assert dvc.version(Project(folder), "scores") != first
    ran(folder)
    set_minimum(folder, 0.001)
    assert make_all(folder) == ["unchanged", "restored", "restored"]
    assert ran(folder) == []
    assert dvc.version(Project(folder), "scores") == first
    assert "up to date" in command(folder, "status")


def test_a_lost_output_is_restored(folder: Path):
    make_all(folder)
    (folder / "data" / "scores.txt").unlink()
    assert dvc.materialise(Project(folder), "scores").action == "restored"
    assert (folder / "data" / "scores.txt").read_text() == "clips 0.001"


def test_force_sees_a_changed_source_and_old_listings_never_return(folder: Path):
    make_all(folder)
    (folder / "source.txt").write_text("more clips")
    assert dvc.materialise(Project(folder), "listing").action == "unchanged"
    assert dvc.materialise(Project(folder), "listing", force=True).action == "made"
    assert make_all(folder) == ["unchanged", "made", "made"]
    (folder / "data" / "listing.txt").unlink()
    assert dvc.materialise(Project(folder), "listing").action == "made"
    assert not list((folder / ".dvc" / "cache" / "runs").rglob("*listing*"))


def test_a_version_counts_files_and_bytes(folder: Path):
    project = Project(folder)
    with pytest.raises(dvc.MissingVersion, match="no version of 'pictures'"):
        dvc.version(project, "pictures")
    make_all(folder)
    found = dvc.materialise(project, "pictures")
    assert found.files == 2
    assert found.bytes == len("clips 0.001") + 1
    assert found.hash == dvc.version(project, "pictures")
    assert found.hash.endswith(".dir")


def test_what_lies_there_is_named_as_dvc_names_it(folder: Path):
    make_all(folder)
    (folder / "data" / "pictures" / "deep").mkdir()
    (folder / "data" / "pictures" / "deep" / "é.txt").write_text("é", encoding="utf-8")
    open_repository(Project(folder)).commit(force=True)
    for name in STEPS:
        assert content_version(folder / STEPS[name].output) == dvc.version(Project(folder), name)


def test_stale_names_what_changed(folder: Path):
    make_all(folder)
    assert dvc.stale(Project(folder)) == {}
    (folder / "data" / "listing.txt").write_text("edited by hand")
    assert set(dvc.stale(Project(folder))) == {"listing", "scores"}


def test_within_repro_the_function_just_runs(folder: Path, monkeypatch: pytest.MonkeyPatch):
    make_all(folder)
    before = (folder / "dvc.lock").read_text()
    (folder / "source.txt").write_text("other")
    monkeypatch.setenv("DVC_STAGE", "listing")
    found = dvc.materialise(Project(folder), "listing")
    assert found.action == "made"
    assert (folder / "dvc.lock").read_text() == before
    monkeypatch.delenv("DVC_STAGE")
    dvc.materialise(Project(folder), "listing", force=True)
    assert dvc.version(Project(folder), "listing") == found.hash


def test_a_failing_step_leaves_its_old_output_and_version(folder: Path, monkeypatch: pytest.MonkeyPatch):
    make_all(folder)
    before = dvc.version(Project(folder), "listing")
    (folder / "source.txt").unlink()
    with pytest.raises(FileNotFoundError):
        dvc.materialise(Project(folder), "listing", force=True)
    assert (folder / "data" / "listing.txt").read_text() == "clips"
    assert dvc.version(Project(folder), "listing") == before
    assert "up to date" in command(folder, "status")


def test_push_and_pull_bring_the_data_to_a_fresh_clone(folder: Path, tmp_path: Path):
    git(folder, "init")
    (folder / ".gitignore").write_text("/data/\n/ran.txt\n__pycache__/\n")
    make_all(folder)
    command(folder, "remote", "add", "--default", "store", str(tmp_path / "store"))
    git(folder, "add", ".")
    git(folder, "commit", "-m", "all")
    command(folder, "push")
    clone = tmp_path / "clone"
    git(tmp_path, "clone", str(folder), str(clone))
    assert not (clone / "data").exists()
    command(clone, "pull")
    assert (clone / "data" / "pictures" / "a.txt").read_text() == "clips 0.001"
    assert "up to date" in command(clone, "status")
    assert make_all(clone) == ["unchanged"] * 3
    assert ran(clone) == []


def test_two_processes_take_turns(folder: Path):
    make_all(folder)
    project = Project(folder)
    blocker = subprocess.Popen([sys.executable, "-c", HOLD, str(folder)], stdout=subprocess.PIPE, text=True, cwd=folder)
    assert blocker.stdout is not None
    assert blocker.stdout.readline() == "held\n"
    worker = threading.Thread(target=dvc.materialise, args=(project, "scores"))
    worker.start()
    worker.join(1.5)
    assert worker.is_alive(), "scores did not wait for the process that writes its input"
    blocker.communicate()
    worker.join(30)
    assert not worker.is_alive()


HOLD = """
import sys, time
from pathlib import Path
from ops.data.dvc_repository import claimed, open_repository
from ops.runtime.project import Project
from ops.steps import Step
listing = Step("listing", "work:listing", (), (), "data/listing.txt")
with claimed(open_repository(Project(Path(sys.argv[1]))), listing):
    print("held", flush=True)
    time.sleep(3)
"""


def test_a_bare_folder_becomes_a_repository(tmp_path: Path):
    copytree(ROOT / "configs", tmp_path / "configs")
    (tmp_path / "params.yaml").write_text("preset: tiny\n")
    made = dvc.materialise(Project(tmp_path), "settings")
    assert made.action == "made"
    assert yaml.safe_load((tmp_path / SETTINGS_FILE).read_text())["name"] == "tiny"
    assert yaml.safe_load((tmp_path / "dvc.yaml").read_text()) == steps.pipeline()


@pytest.mark.parametrize("in_git", [True, False])
def test_the_data_may_lie_on_another_disk(folder: Path, tmp_path: Path, in_git: bool):
    if in_git:
        git(folder, "init", "--quiet")
        (folder / ".gitignore").write_text((ROOT / ".gitignore").read_text())
    (tmp_path / "disk").mkdir()
    (folder / "data").symlink_to(tmp_path / "disk")
    assert make_all(folder) == ["made"] * 3
    assert (tmp_path / "disk" / "pictures" / "b.txt").is_file()
    assert make_all(folder) == ["unchanged"] * 3
    (tmp_path / "disk" / "scores.txt").unlink()
    assert make_all(folder) == ["unchanged", "restored", "unchanged"]
    assert command(folder, "status") == "Data and pipelines are up to date.\n"
    if in_git:
        told = subprocess.run(["git", "status", "--short", "data"], cwd=folder, capture_output=True, check=True)
        assert told.stdout == b""


@pytest.mark.parametrize("room", ["data", "var"])
def test_a_disk_that_is_not_there_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch, room: str):
    (folder / room).symlink_to("/not/mounted")
    monkeypatch.setenv("SORAFLOW_PROJECT", str(folder))
    with pytest.raises(ConfigError, match=rf"{room} is a link to /not/mounted, where no folder is: mount that disk"):
        Project.find()


def test_a_half_written_file_of_claims_is_taken_for_empty(folder: Path):
    make_all(folder)
    claims = folder / ".dvc" / "tmp" / "rwlock"
    claims.write_text('{"half')
    assert make_all(folder) == ["unchanged"] * 3
    claims.write_text(f'{{"write": {{"{folder}/data/scores.txt": {{"pid": {os.getpid()}, "cm')
    with pytest.raises(BrokenLock, match=rf"process {os.getpid()}, which it names, is alive"):
        make_all(folder)
    dead = subprocess.Popen(["true"])
    dead.wait()
    claims.write_text(f'{{"write": {{"{folder}/data/scores.txt": {{"pid": {dead.pid}, "cm')
    assert make_all(folder) == ["unchanged"] * 3


def test_a_half_written_lock_is_told_with_its_remedy_and_the_run_cache_brings_it_back(folder: Path):
    make_all(folder)
    lock = folder / "dvc.lock"
    before = {name: dvc.version(Project(folder), name) for name in STEPS}
    (folder / ".dvc" / "tmp" / "lock").write_text(" 12")  # what DVC locks; a dead process's number means nothing
    lock.write_text(lock.read_text()[: lock.stat().st_size // 2] + "  - {path")
    for asked in (lambda: make_all(folder), lambda: dvc.version(Project(folder), "scores")):
        with pytest.raises(BrokenLock, match=r"is half written: bring it back with `git checkout -- dvc\.lock`, or"):
            asked()
    lock.unlink()
    ran(folder)
    make_all(folder)
    assert ran(folder) == ["listing"]  # its sources are not under DVC, so it looks at them again
    assert {name: dvc.version(Project(folder), name) for name in STEPS} == before


def test_a_commit_that_dies_leaves_the_old_lock(folder: Path, monkeypatch: pytest.MonkeyPatch):
    from dvc.utils import serialize

    make_all(folder)
    before = (folder / "dvc.lock").read_text()
    set_minimum(folder, 0.2)

    def die(path: Path, data: object) -> None:
        Path(path).write_text("schema: '2.", encoding="utf-8")
        raise KeyboardInterrupt

    monkeypatch.setattr(serialize, "dump_yaml", die)
    with pytest.raises(KeyboardInterrupt):
        make_all(folder)
    assert (folder / "dvc.lock").read_text() == before
