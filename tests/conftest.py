"""What every test may use: a temporary project, small clips made on the spot, and the shared weights."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

from ops import weights
from ops.runtime.project import Project

if TYPE_CHECKING:
    from playwright.sync_api import Browser

CHECKOUT = Path(__file__).resolve().parents[1]
BROWSER_FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)

# A shell that starts the suite behind itself has SIGINT ignored; Dagster passes that on to SIGTERM, and so to programs
# that tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
os.environ.setdefault("DS_ACCELERATOR", "cpu")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.pop("MLFLOW_TRACKING_URI", None)
# pytest gives a folder's name to a later test once it is removed: no connection may outlive the store it was opened to
os.environ["MLFLOW_SQLALCHEMYSTORE_POOLCLASS"] = "NullPool"

COSTLY_FIXTURES = {
    *("finished", "beside", "empty", "browser", "pages"),
    *("uninterrupted", "make_lab", "group_of_one", "trained_world"),
    *("curated", "curated_twice", "deduplicated", "film_library", "odd_files", "audited_root"),
    *("tallies", "cluster"),
}
"""Behind these a project is made or curated, a model is trained, or programs are started."""
BUDGETS = {"check": 240, "test": 1500, "slow": 3600}
"""Of each tier alone: `make check` takes three minutes and `make test` fifteen where two cores share the tests."""
SHOWN = 20
BEFORE = pytest.StashKey[float]()

settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")


@pytest.fixture(autouse=True)
def _own_mlflow_store() -> Iterator[None]:
    """MLflow keeps the address of a store that it was told in the environment; no test sees another one's."""
    yield
    os.environ.pop("MLFLOW_TRACKING_URI", None)


@pytest.fixture(scope="session")
def checkout() -> Path:
    """The repository's own root: shipped configurations are read here, nothing is written."""
    return CHECKOUT


@pytest.fixture(scope="session")
def shared_weights() -> Path:
    """The checkout's verified weights, fetched once; temporary projects read them by SORAFLOW_WEIGHTS."""
    project = Project(CHECKOUT)
    for name in (
        "lpips-alex",
        "lpips-vgg",
        "rapidocr-det",
        "niqe",
        "brisque",
        "minilm-l6",
        "transnetv2",
        "open-nsfw",
        "vbench-suite",
        "clip-words",
    ):
        weights.fetch(project, name)
    return project.weights


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared_weights: Path) -> Project:
    """An empty project of preset `tiny` in a temporary folder; write its `params.yaml` to override it."""
    root = tmp_path / "project"
    root.mkdir()
    (root / "params.yaml").write_text("preset: tiny\n", encoding="utf-8")
    shutil.copy(CHECKOUT / "dvc.yaml", root)
    shutil.copytree(CHECKOUT / "configs", root / "configs")
    monkeypatch.setenv("SORAFLOW_PROJECT", str(root))
    monkeypatch.setenv("SORAFLOW_WEIGHTS", str(shared_weights))
    return Project(root)


@pytest.fixture(scope="session")
def videos(module_at: Callable[[Path], ModuleType]) -> ModuleType:
    """The module tests/videos.py: functions that write small test clips with known content."""
    return module_at(CHECKOUT / "tests" / "videos.py")


@pytest.fixture(scope="session")
def parity_case(module_at: Callable[[Path], ModuleType]) -> Any:
    """What tests/parity_cases.py calls ParityCase."""
    return module_at(CHECKOUT / "tests" / "parity_cases.py").ParityCase


@pytest.fixture
def records(project: Project, tmp_path: Path, module_at: Callable[[Path], ModuleType]) -> Any:
    """What tests/records.py calls Records: a project with a folder of one file, of which nothing is on record yet."""
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    (inbox / "first.mp4").write_bytes(b"")
    return module_at(CHECKOUT / "tests" / "records.py").Records(project.root, inbox)


@pytest.fixture
def released(records: Any) -> Any:
    """The same, released from what curation has made of that file."""
    records.curate("v1", ["a", "b"])
    records.release("v1")
    return records


@pytest.fixture(scope="session")
def module_at() -> Callable[[Path], ModuleType]:
    """Imports a file that is no test, under its own name; tests themselves are no packages."""

    def imported(path: Path) -> ModuleType:
        specification = importlib.util.spec_from_file_location(path.stem, path)
        assert specification is not None
        assert specification.loader is not None
        module = importlib.util.module_from_spec(specification)
        sys.modules[path.stem] = module
        specification.loader.exec_module(module)
        return module

    return imported


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's chromium. Where it is missing the test is skipped, but in CI it fails."""
    from playwright.sync_api import sync_playwright

    program = shutil.which("chromium")
    if program is None:
        message = "chromium is missing: apt-get install --no-install-recommends chromium"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(message)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=list(BROWSER_FLAGS))
        yield started
        started.close()


def tier(item: pytest.Item) -> str:
    """The cheapest tier that a test is in: `check`, `test` or `slow`."""
    if item.get_closest_marker("slow"):
        return "slow"
    return "test" if item.get_closest_marker("costly") else "check"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What needs a costly fixture is costly without saying so.

    Where workers share the tests (`-n 2 --dist loadgroup`), what shares a fixture of many seconds shares a worker.
    That is a file, or all that need the finished project. These come first, for they take longest, then files with
    costly tests, and cheap ones at last: so that no worker is left alone with a long file in the end.
    """
    for item in items:
        needs = set(getattr(item, "fixturenames", ()))
        if needs & COSTLY_FIXTURES or item.get_closest_marker("dist"):
            item.add_marker(pytest.mark.costly)
        item.add_marker(pytest.mark.xdist_group("finished" if "finished" in needs else str(item.path)))
    dear = {item.path for item in items if item.get_closest_marker("costly")}
    items.sort(key=lambda item: ("finished" not in getattr(item, "fixturenames", ()), item.path not in dear))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> None:
    """Note what has been spent before a test begins; pytest's own hook runs it."""
    item.stash[BEFORE] = processor_seconds()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    report = yield
    if call.when == "teardown":
        report.user_properties += [("tier", tier(item)), ("spent", processor_seconds() - item.stash[BEFORE])]
    return report


def processor_seconds() -> float:
    """What this process and those that it has started and seen end have spent: a busy machine hardly changes it."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What the tests have cost, and what each tier may. Nothing passes or fails by it."""
    reports = [each for group in terminalreporter.stats.values() for each in group]
    ended = [each for each in reports if isinstance(each, pytest.TestReport) and each.when == "teardown"]
    told = {each.nodeid: dict(each.user_properties) for each in ended}
    costs = {name: (each["tier"], each["spent"]) for name, each in told.items() if "spent" in each}
    if not costs:
        return
    terminalreporter.section("what they cost, in seconds of one processor")
    for name in sorted(costs, key=lambda name: -costs[name][1])[:SHOWN]:
        terminalreporter.write_line(f"{costs[name][1]:7.1f}  {costs[name][0]:5}  {name}")
    for each, budget in BUDGETS.items():
        spent = [seconds for found, seconds in costs.values() if found == each]
        if spent:
            terminalreporter.write_line(f"{sum(spent):7.0f}  {each}: {len(spent)} tests; its budget is {budget}")
