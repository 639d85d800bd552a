"""The two web pages of `soraflow up` in a real browser: look, click, compare."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pytest
from mlflow.entities import Experiment
from mlflow.tracking import MlflowClient
from playwright.sync_api import Browser, Page, expect

from ops.data.dvc import version
from ops.runtime.pages import Pages as Links
from ops.runtime.project import Project
from ops.training.pipeline_run import EXPERIMENT

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]

GROUPS = ("curation", "captions", "dataset", "vae", "denoiser", "evaluation", "release")
PATIENCE = 60.0  # seconds; the pages compile their first answer on a busy machine
READY = "Ctrl-C ends both"
UNFOLD = "[class*=expander]"
"""What shows the runs under another in MLflow's list."""


@dataclass(frozen=True)
class Pages:
    dagster: str
    mlflow: str

    @property
    def links(self) -> Links:
        return Links(self.dagster, self.mlflow)


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def wait_for(happened: Callable[[], bool], what: str, seconds: float = PATIENCE) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, f"{what}: not within {seconds:.0f} s"
        time.sleep(0.5)


@pytest.fixture(scope="module")
def pages(finished, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    """`soraflow up` in the finished project, ended as a person would: by Ctrl-C."""
    root = finished.project.root
    dagster_port, mlflow_port = free_ports(2)
    log = tmp_path_factory.mktemp("up") / "up.log"
    environment = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
    argv = [str(Path(sys.executable).parent / "soraflow"), "up"]
    argv += ["--dagster-port", str(dagster_port), "--mlflow-port", str(mlflow_port)]
    with log.open("wb") as output:
        process = subprocess.Popen(
            argv,
            cwd=root,
            env={**environment, "SORAFLOW_PROJECT": str(root)},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        wait_for(lambda: READY in log.read_text() or process.poll() is not None, "soraflow up", 180)
        assert process.poll() is None, log.read_text()
        yield Pages(f"http://127.0.0.1:{dagster_port}", f"http://127.0.0.1:{mlflow_port}")
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(PATIENCE)
    assert process.returncode == 0, log.read_text()
    for port in (dagster_port, mlflow_port):
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0, f"something still listens on port {port}"


@pytest.fixture
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A fresh page; how it looks in the end is kept when SORAFLOW_SCREENSHOTS names a folder."""
    with browser.new_context(viewport={"width": 1600, "height": 1000}) as context:
        context.set_default_timeout(PATIENCE * 1000)
        opened = context.new_page()
        yield opened
        folder = os.environ.get("SORAFLOW_SCREENSHOTS")
        if folder:
            opened.screenshot(path=Path(folder) / f"{request.node.name}.png", full_page=True)


def experiment(pages: Pages) -> Experiment:
    found = MlflowClient(pages.mlflow).get_experiment_by_name(EXPERIMENT)
    assert found is not None
    return found


def materialisations(project: Project, asset: str) -> list[dg.EventLogRecord]:
    with dg.DagsterInstance.from_config(str(project.dagster_home)) as instance:
        return list(instance.fetch_materializations(dg.AssetKey(asset), limit=100).records)


def test_the_graph_page_shows_every_group(pages: Pages, page: Page) -> None:
    page.goto(f"{pages.dagster}/asset-groups")
    for group in GROUPS:
        expect(page.get_by_text(group, exact=True).first).to_be_visible()
    expect(page.get_by_role("button", name="Materialize all")).to_be_visible()


def test_an_asset_is_materialised_by_clicking(finished, pages: Pages, page: Page) -> None:
    before = len(materialisations(finished.project, "dataset_report"))
    page.goto(f"{pages.dagster}/assets/dataset_report")
    page.get_by_role("button", name="Materialize").first.click()
    expect(page.get_by_text(re.compile("Launched run"))).to_be_visible()
    wait_for(
        lambda: len(materialisations(finished.project, "dataset_report")) > before,
        "a new materialisation of dataset_report",
        180,
    )
    newest = materialisations(finished.project, "dataset_report")[0].asset_materialization
    assert newest is not None
    assert newest.tags["dagster/data_version"] == version(finished.project, "dataset_report")


def test_a_picture_in_the_metadata_opens(pages: Pages, page: Page) -> None:
    page.goto(f"{pages.dagster}/assets/dataset_report")
    page.get_by_role("row").filter(has_text="funnel").get_by_text("Show Markdown").click()
    picture = page.get_by_alt_text("funnel")
    expect(picture).to_be_visible()
    assert picture.evaluate("image => image.naturalWidth") > 100


def test_two_trainings_are_compared(finished, pages: Pages, page: Page) -> None:
    """Settings, dataset version and metrics of both are on the page, and the settings that differ stand out."""
    first, *_, last = (stage.name for stage in finished.project.settings.stages)
    page.goto(pages.links.mlflow_experiment(experiment(pages).experiment_id))
    page.locator(UNFOLD).first.click()
    for name in (first, last):
        row = page.get_by_role("row").filter(has=page.get_by_role("link", name=re.compile(f"^{name} · data")))
        row.get_by_role("checkbox").first.check()
    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_text("Comparing 2 Runs")).to_be_visible()
    for text in ("denoiser.model.layers", "held_out_loss", "soraflow.dataset_version"):
        expect(page.get_by_text(text, exact=True).first).to_be_attached()
    expect(page.get_by_text(version(finished.project, "training_set")).first).to_be_attached()
    page.get_by_text("Show diff only").first.click()
    expect(page.get_by_text("denoiser.model.layers", exact=True)).to_have_count(0)
    for name in (first, last):
        expect(page.get_by_text(f"stages.{name}.kinds", exact=True).first).to_be_attached()
