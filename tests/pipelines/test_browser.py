"""The two web pages of `soraflow up` in a real browser: look, click, compare."""

from __future__ import annotations

import json
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

from ops.data import validation_page
from ops.data.dvc import version
from ops.data.validation import Validation
from ops.evaluation.checkpoint_scores import ScoresResults
from ops.runtime.artifacts import current
from ops.runtime.pages import Pages as Links
from ops.runtime.project import Project
from ops.runtime.tracking.pipeline_run import EXPERIMENT
from ops.training.results import Trained
from pipelines.defs.dataset.checks import told

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]

GROUPS = ("curation", "captions", "dataset", "vae", "denoiser", "evaluation", "truth", "release")
PATIENCE = 60.0  # seconds; the pages compile their first answer on a busy machine
expect.set_options(timeout=1000 * PATIENCE)  # a page may load for long on a busy machine
READY = "Ctrl-C ends both"


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


@pytest.mark.parametrize(("asset", "name"), [("dataset_report", "funnel"), ("samples", "videos")])
def test_pictures_and_videos_are_seen_without_a_click(pages: Pages, page: Page, asset: str, name: str) -> None:
    page.goto(f"{pages.dagster}/assets/{asset}")
    picture = page.get_by_alt_text(name).first
    expect(picture).to_be_visible()
    wait_for(lambda: picture.evaluate("image => image.naturalWidth") > 100, f"the picture {name}")


def test_a_table_has_its_columns_and_its_figures_on_the_page(pages: Pages, page: Page) -> None:
    page.goto(f"{pages.dagster}/assets/curated_clips")
    expect(page.get_by_text("mean of the cut_distances that lie within the shot").first).to_be_visible()
    funnel = page.get_by_role("row").filter(has_text="MB looked at").last
    expect(funnel).to_be_visible()
    expect(page.get_by_text("Show JSON")).to_have_count(0)


def test_a_training_links_to_its_run_in_mlflow(finished, pages: Pages, page: Page) -> None:
    page.goto(f"{pages.dagster}/assets/{finished.project.settings.vae.architecture}")
    address = page.get_by_role("row").filter(has_text="MLflow run").get_by_role("link").first.get_attribute("href")
    assert address is not None
    place, route = address.split("/#/")
    assert place.startswith("http://127.0.0.1:")  # the port is the one that was in use when the training ended
    assert route.endswith("?workflowType=machine_learning")
    page.goto(f"{pages.mlflow}/#/{route}")
    expect(page.get_by_role("link", name="psnr", exact=True).first).to_be_visible()


def test_a_failed_check_says_which_rows_and_what_to_do(finished, pages: Pages, page: Page) -> None:
    """The report that `validate` writes of a spoiled table, as the check's page shows it."""
    validation = Validation(
        name="captions",
        version=None,
        passed=False,
        expectations=["captions are one clean line"],
        failures=[
            {
                **{"expectation": "captions are one clean line", "column": "caption", "observed": [], "count": 1},
                **{"ids": ["a"], "examples": [{"item_id": "a", "caption": "two lines"}]},
            }
        ],
        statistics={"rows": 3},
    )
    with dg.DagsterInstance.from_config(str(finished.project.dagster_home)) as instance:
        instance.report_runless_asset_event(
            dg.AssetCheckEvaluation(
                asset_key=dg.AssetKey("captions"),
                check_name="meets_expectations",
                passed=False,
                description=validation_page.report(validation),
                metadata=told(validation),
            )
        )
    page.goto(f"{pages.dagster}/assets/captions?view=checks&checkDetail=meets_expectations")
    expect(page.get_by_role("heading", name="captions are one clean line").first).to_be_visible()
    expect(page.get_by_text("two lines").first).to_be_visible()
    expect(page.get_by_text("What to do").first).to_be_attached()


@pytest.mark.slow
def test_a_run_is_launched_with_a_recipe_of_its_own(finished, pages: Pages, page: Page) -> None:
    """From the launchpad of a job: the run's steps see the override, and its tags say so; params.yaml stays."""
    before = (finished.project.root / "params.yaml").read_text()
    config = {"resources": {"project": {"config": {"overrides": ["release.tolerance=0.25"]}}}}
    page.goto(f"{pages.dagster}/locations/pipelines.definitions/jobs/curation/playground")
    page.locator(".CodeMirror").first.evaluate("(editor, text) => editor.CodeMirror.setValue(text)", json.dumps(config))
    page.get_by_role("button", name="Launch run").click()
    with dg.DagsterInstance.from_config(str(finished.project.dagster_home)) as instance:

        def done() -> bool:
            runs = instance.get_runs(dg.RunsFilter(tags={"soraflow/overrides": "release.tolerance=0.25"}))
            return bool(runs) and runs[0].status == dg.DagsterRunStatus.SUCCESS

        wait_for(done, "a run with the override to end", 400)
    assert (finished.project.root / "params.yaml").read_text() == before
    finished("run", "--select", "raw_images")  # takes the recipe of that run back, as the next run does


def runs_of_the_pipeline(pages: Pages, page: Page) -> None:
    """Open MLflow's list of runs, with those below the first run of the pipeline in sight."""
    page.goto(pages.links.mlflow_experiment(experiment(pages).experiment_id))
    pipeline = page.get_by_role("row").filter(has=page.get_by_role("link", name=re.compile("^tiny · data ")))
    pipeline.last.get_by_role("button").first.click()


def test_mlflow_shows_stages_and_scores_under_their_pipeline_run(finished, pages: Pages, page: Page) -> None:
    runs_of_the_pipeline(pages, page)
    data = version(finished.project, "training_set")[:7]
    names = [stage.name for stage in finished.project.settings.stages]
    for name in ("wfvae", *names, f"scores · {names[-1]}"):
        expect(page.get_by_role("link", name=re.compile(f"^{name} · data {data}")).first).to_be_visible()


def test_pictures_of_held_out_data_are_logged_with_a_denoiser(finished, pages: Pages, page: Page) -> None:
    run = current(finished.project, "denoiser_video", Trained).results.mlflow_run_id
    page.goto(pages.links.mlflow_run(experiment(pages).experiment_id, run, "artifacts"))
    expect(page.get_by_text("images", exact=True).first).to_be_visible()
    page.goto(pages.links.mlflow_run(experiment(pages).experiment_id, run, "model-metrics"))
    expect(page.get_by_text("held_out_error", exact=True).first).to_be_visible()


def test_a_generated_video_plays_in_mlflow(finished, pages: Pages, page: Page) -> None:
    scores = current(finished.project, "checkpoint_scores", ScoresResults)
    run = json.loads((scores.folder / "run.json").read_text())["run_id"]
    folder = f"samples/step_{scores.results.best_step:06d}"
    video = MlflowClient(pages.mlflow).list_artifacts(run, folder)[0].path
    page.goto(pages.links.mlflow_run(experiment(pages).experiment_id, run, f"artifacts/{video}"))
    player = page.locator("video")
    expect(player).to_be_visible()
    player.evaluate("video => { video.muted = true; return video.play() }")
    page.wait_for_function("() => document.querySelector('video').currentTime > 0")
    assert player.evaluate("video => Math.min(video.videoWidth, video.videoHeight)") >= 240


@pytest.mark.slow
def test_two_trainings_are_compared(finished, pages: Pages, page: Page) -> None:
    """Settings, dataset version and metrics of both are on the page, and the settings that differ stand out."""
    first, *_, last = (stage.name for stage in finished.project.settings.stages)
    runs_of_the_pipeline(pages, page)
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
