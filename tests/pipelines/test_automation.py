"""What starts work without a person: the sensors, what they take for work under way, and the alert of a failure."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.events import EngineEventData
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin

from ops.runtime import decisions
from ops.runtime.project import Project
from ops.steps import STEPS
from pipelines import dagster_home, run_tags, runs
from pipelines.definitions import defs
from pipelines.failures import explained

QUEUED, STARTED = dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.STARTED
REPOSITORY = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("pipelines.definitions"), "__repository__")
LONG_AGO = json.dumps({"schedule": "0 3 * * 1", "answered": 0.0})
"""The cursor of a retraining whose tick has come."""


@pytest.fixture(scope="module")
def loaded() -> dg.Definitions:
    return defs()


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


class Sensor:
    """One of the project's sensors, asked again and again as the daemon asks it."""

    def __init__(
        self, name: str, loaded: dg.Definitions, instance: dg.DagsterInstance, cursor: str | None = None
    ) -> None:
        self._repository = loaded.get_repository_def()
        self._sensor, self._loaded, self._instance = self._repository.get_sensor_def(name), loaded, instance
        self.cursor = cursor

    def tick(self) -> Any:
        with dg.build_sensor_context(
            instance=self._instance,
            cursor=self.cursor,
            resources=self._loaded.resources,
            repository_def=self._repository,
        ) as context:
            found = self._sensor.evaluate_tick(context)
        self.cursor = found.cursor
        return found

    def begin(
        self, status: dg.DagsterRunStatus, job: str, assets: list[str] | None = None, **tags: str
    ) -> dg.DagsterRun:
        """Put a run on record, as the queue or a run's process would."""
        return self._instance.create_run_for_job(
            job_def=self._repository.get_job(job).get_subset(
                asset_selection={dg.AssetKey(name) for name in assets} if assets else None
            ),
            status=status,
            tags=tags,
            remote_job_origin=RemoteJobOrigin(REPOSITORY, job),
            asset_selection=frozenset(dg.AssetKey(name) for name in assets) if assets else None,
        )


@pytest.fixture
def curation(loaded: dg.Definitions, instance: dg.DagsterInstance) -> Sensor:
    return Sensor("new_source_files", loaded, instance)


@pytest.fixture
def retraining(loaded: dg.Definitions, instance: dg.DagsterInstance) -> Sensor:
    return Sensor("retraining", loaded, instance, LONG_AGO)


def named(request: dg.RunRequest) -> set[str]:
    return {key.to_user_string() for key in request.asset_selection or ()}


def test_new_files_start_curation_once_they_are_left_alone(released, curation: Sensor) -> None:
    assert "already list" in curation.tick().skip_message
    released.arrive("new.mp4")
    released.set(automation={"watch_seconds": 1, "quiet_seconds": 3600})
    curation.cursor = None
    for _ in range(4):  # of a copy that takes minutes
        found = curation.tick()
        assert not found.run_requests
        curation.cursor = json.dumps({**json.loads(found.cursor), "looked": 0.0})
    assert "still arriving" in found.skip_message
    released.set(automation={"watch_seconds": 1, "quiet_seconds": 0})
    (request,) = curation.tick().run_requests
    assert request.tags[run_tags.REASON] == "new files for raw_videos"
    said = [decision.sentence.split(":")[0] for decision in decisions.last(released.project, 9)]
    assert said == ["yes", "no"], "what is decided again and again is written down once"


def test_a_folder_that_is_never_quiet_is_curated_all_the_same(released, curation: Sensor) -> None:
    released.arrive("new.mp4")
    released.set(automation={"quiet_seconds": 3600, "longest_wait_seconds": 60})
    curation.cursor = json.dumps({"looked": 0.0, "waiting_since": time.time() - 59})
    assert not curation.tick().run_requests
    curation.cursor = json.dumps({"looked": 0.0, "waiting_since": time.time() - 61})
    assert curation.tick().run_requests


@pytest.mark.parametrize("status", [QUEUED, STARTED])
@pytest.mark.parametrize(("job", "assets"), [("curation", None), ("lineage", None), ("lineage", ["shots", "wfvae"])])
def test_one_curation_at_a_time(
    released, curation: Sensor, status: dg.DagsterRunStatus, job: str, assets: list[str] | None
) -> None:
    released.arrive("new.mp4")
    run = curation.begin(status, job, assets)
    found = curation.tick()
    assert not found.run_requests
    assert run.run_id in found.skip_message


def test_a_run_that_only_trains_lets_curation_begin(released, curation: Sensor) -> None:
    released.arrive("new.mp4")
    curation.begin(STARTED, "lineage", ["wfvae", "latents"])
    assert curation.tick().run_requests


def test_files_on_which_curation_failed_wait_for_a_person_or_a_change(released, curation: Sensor) -> None:
    released.arrive("new.mp4")
    (request,) = curation.tick().run_requests
    failed = curation.begin(dg.DagsterRunStatus.FAILURE, "curation", **request.tags)
    curation.cursor = None
    found = curation.tick()
    assert not found.run_requests
    assert failed.run_id in found.skip_message
    released.arrive("another.mp4")
    curation.cursor = None
    assert curation.tick().run_requests


def test_a_folder_that_is_not_there_is_told_once_and_breaks_nothing(released, curation: Sensor) -> None:
    released.recipe["sources"]["videos"] = "/nowhere/at/all"
    released.set()
    for _ in range(2):
        curation.cursor = None
        assert "/nowhere/at/all is not a folder" in curation.tick().skip_message
    assert len(decisions.last(released.project, 9)) == 1


def test_the_tick_trains_what_is_curated_and_leaves_the_dataset_to_curation(released, retraining: Sensor) -> None:
    released.curate("v2", ["c", "d"])
    released.arrive("late.mp4")
    found = retraining.tick()
    (request,) = found.run_requests
    assert request.tags[run_tags.REASON] == "2 new clips and images since the last release"
    assert "champion" in named(request)
    assert not named(request) & STEPS.keys()
    assert "next tick" in retraining.tick().skip_message, "this tick is answered"


def test_a_changed_rule_makes_the_dataset_too_but_not_of_files_that_have_just_arrived(
    released, retraining: Sensor
) -> None:
    released.set(dataset={"fps": 4})
    (request,) = retraining.tick().run_requests
    assert not named(request), "everything"
    released.arrive("late.mp4")
    retraining.cursor = LONG_AGO
    (request,) = retraining.tick().run_requests
    assert {"training_set", "champion"} <= named(request)
    assert "raw_videos" not in named(request)


@pytest.mark.parametrize("status", [QUEUED, STARTED])
def test_one_retraining_at_a_time_and_then_the_newest_state(
    released, retraining: Sensor, instance: dg.DagsterInstance, status: dg.DagsterRunStatus
) -> None:
    released.curate("v2", ["c", "d"])
    run = retraining.begin(status, "lineage", ["wfvae", "champion"])
    for _ in range(5):
        assert not retraining.tick().run_requests
    assert [decision.yes for decision in decisions.last(released.project, 9)] == [False]
    instance.report_run_canceled(run)
    released.curate("v3", ["e", "f", "g"])
    (request,) = retraining.tick().run_requests
    assert request.tags[run_tags.REASON].startswith("3 new clips"), "what is newest now, not what was then"
    assert not retraining.tick().run_requests


def test_a_no_that_passes_is_asked_again_soon_and_a_final_one_at_the_next_tick(released, retraining: Sensor) -> None:
    released.arrive("late.mp4")
    assert "have arrived" in retraining.tick().skip_message
    released.curate("v2", ["a", "b", "c"])
    assert "fewer than" in retraining.tick().skip_message
    released.curate("v3", ["c", "d", "e"])
    assert "next tick" in retraining.tick().skip_message


def test_the_last_decisions_are_on_the_page_of_the_champion(released, retraining: Sensor) -> None:
    (event,) = retraining.tick().asset_events
    assert isinstance(event, dg.AssetObservation)
    assert event.asset_key == dg.AssetKey("champion")
    assert event.metadata["retrain"].value is False
    assert event.metadata["reason"].value == "training set v1 is what was trained on last"
    released.curate("v2", ["c", "d"])
    retraining.cursor = LONG_AGO
    (event,) = retraining.tick().asset_events
    table = event.metadata["decisions"].value
    assert table.index("2 new clips") < table.index("was trained on last")
    (daily,) = (released.project.logs / "daily").iterdir()
    assert "retraining: yes: 2 new clips and images" in daily.read_text(encoding="utf-8")


def test_the_schedule_is_read_at_every_look(released, retraining: Sensor) -> None:
    retraining.cursor = None
    assert "Mon" in retraining.tick().skip_message
    released.set(automation={"schedule": "0 3 * * 5"})
    assert "Fri" in retraining.tick().skip_message


def test_with_on_new_data_each_version_is_asked_about_once(released, retraining: Sensor) -> None:
    retraining.cursor = None
    released.set(automation={"on_new_data": True, "schedule": "0 3 1 1 *"})
    assert "trained on last" in retraining.tick().skip_message
    released.curate("v2", ["a"])
    assert retraining.tick().run_requests
    assert not retraining.tick().run_requests, "it would begin again and again if it failed"


def test_the_dataset_of_a_run_counts_until_it_is_made(instance: dg.DagsterInstance) -> None:
    """After that the run trains, for hours, and files that arrive are curated beside it."""
    seen: dict[str, Any] = {}

    @dg.asset
    def training_set(context) -> None:
        seen["curates"] = runs.underway(context.instance)

    @dg.asset(deps=[training_set])
    def wfvae(context) -> None:
        seen["trains"] = runs.underway(context.instance)

    found = dg.Definitions(
        [training_set, wfvae], jobs=[dg.define_asset_job("lineage")], executor=dg.in_process_executor
    )
    run_id = (
        found.resolve_job_def("lineage")
        .execute_in_process(instance=instance, asset_selection=[training_set.key, wfvae.key])
        .run_id
    )
    assert seen == {"curates": runs.Underway(run_id, run_id), "trains": runs.Underway(None, run_id)}


def dead_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_a_run_whose_process_was_killed_is_closed_and_blocks_nothing(
    released, retraining: Sensor, instance: dg.DagsterInstance
) -> None:
    released.curate("v2", ["c", "d"])
    here = {run_tags.HOST: socket.gethostname()}
    lost = retraining.begin(STARTED, "lineage", ["wfvae", "champion"], **here)
    elsewhere = retraining.begin(STARTED, "curation", **{run_tags.HOST: "another-machine"})
    for run in (lost, elsewhere):
        instance.report_engine_event("begins", run, EngineEventData.in_process(dead_process()))
    assert retraining.tick().run_requests, "nobody is at work on it"
    assert instance.get_run_by_id(lost.run_id).status == dg.DagsterRunStatus.FAILURE
    assert instance.get_run_by_id(elsewhere.run_id).status == STARTED
    alive = retraining.begin(STARTED, "lineage", ["wfvae", "champion"], **here)
    instance.report_engine_event("begins", alive, EngineEventData.in_process(os.getpid()))
    assert runs.close_lost(instance) == []


class Webhook(BaseHTTPRequestHandler):
    """A chat server that keeps what it is told."""

    told: list[dict]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        type(self).told.append(json.loads(body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def webhook(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Webhook]]:
    Webhook.told = []
    server = HTTPServer(("127.0.0.1", 0), Webhook)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("SORAFLOW_ALERT_WEBHOOK", f"http://127.0.0.1:{server.server_port}")
    yield Webhook
    server.shutdown()
    server.server_close()


@dg.asset
def latents() -> None:
    try:
        raise OSError("no more disk")
    except OSError as error:
        raise RuntimeError("while writing shards") from error


@dg.asset(deps=[latents])
def samples() -> None: ...


def fails(instance: dg.DagsterInstance) -> Any:
    job = dg.Definitions([latents, samples]).resolve_implicit_global_asset_job_def()
    return job.execute_in_process(
        instance=instance, raise_on_error=False, asset_selection=[dg.AssetKey("latents"), dg.AssetKey("samples")]
    )


def test_a_failed_run_is_reported_so_that_somebody_who_was_asleep_understands(
    project: Project, loaded: dg.Definitions, instance: dg.DagsterInstance, webhook: type[Webhook]
) -> None:
    result = fails(instance)
    with dg.build_run_status_sensor_context(
        sensor_name="run_failures",
        dagster_instance=instance,
        dagster_run=result.dagster_run,
        dagster_event=result.get_run_failure_event(),
        resources=loaded.resources,
    ) as context:
        loaded.get_repository_def().get_sensor_def("run_failures")(context.for_run_failure())
    (failure,) = map(json.loads, (project.var / "failures.jsonl").read_text(encoding="utf-8").splitlines())
    assert failure["name"] == "latents, samples"
    assert failure["failed"].keys() == {"latents"}
    assert "no more disk" in failure["failed"]["latents"]
    assert failure["links"]["run"] == f"http://127.0.0.1:3000/runs/{result.run_id}"
    text = webhook.told[0]["text"]
    for part in ("latents, samples failed", "no more disk", "does not try again", failure["links"]["run"]):
        assert part in text
    assert "__ASSET_JOB" not in text
    (daily,) = (project.logs / "daily").iterdir()
    assert "failure: latents, samples failed. latents: " in daily.read_text(encoding="utf-8")


def test_an_alert_of_a_training_links_to_its_logs_and_its_mlflow_run(
    project: Project, instance: dg.DagsterInstance
) -> None:
    from ops.runtime.tracking.connection import connect

    client = connect(project)
    run = client.create_run(client.create_experiment("trainings"))
    folder = project.artifacts / "latents" / "1234"
    (folder / "logs").mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps({"run_id": run.info.run_id}), encoding="utf-8")
    result = fails(instance)
    (folder / "logs" / "rank0.log").write_text("no more disk", encoding="utf-8")
    (folder / "logs").touch()
    links = explained(instance, project, result.run_id, None).links
    assert links["log"] == str(folder / "logs")
    assert run.info.run_id in links["mlflow"]
    assert links["mlflow"].endswith("?workflowType=machine_learning")


RUN = """
import json, sys, time
from pathlib import Path

import dagster as dg

from ops.data.dvc import version
from ops.runtime.project import Project

project = Project(Path(sys.argv[1]))


@dg.asset(pool="accelerator")
def wfvae(context) -> dg.MaterializeResult:
    trains_on = version(project, "training_set")
    (project.root / "at_work").write_text(trains_on, encoding="utf-8")
    while (project.root / "goes_on").exists():
        time.sleep(0.02)
    return dg.MaterializeResult(data_version=dg.DataVersion(trains_on))


@dg.asset(deps=[wfvae])
def champion() -> None: ...


job = dg.Definitions([wfvae, champion], jobs=[dg.define_asset_job("lineage")], executor=dg.in_process_executor)
with dg.DagsterInstance.from_config(str(project.dagster_home)) as instance:
    job.resolve_job_def("lineage").execute_in_process(
        instance=instance, tags=json.loads(sys.argv[2]), asset_selection=[wfvae.key, champion.key]
    )
"""
"""A retraining in a process of its own that holds its place in the pool for as long as the test likes."""


class Retraining:
    def __init__(self, project: Project, request: dg.RunRequest) -> None:
        self._at_work, self._goes_on = project.root / "at_work", project.root / "goes_on"
        self._at_work.unlink(missing_ok=True)
        self._goes_on.touch()
        tags = {**request.tags, run_tags.HOST: socket.gethostname()}
        self.process = subprocess.Popen([sys.executable, "-c", RUN, str(project.root), json.dumps(tags)])
        while not (self._at_work.is_file() and self._at_work.read_text(encoding="utf-8")):
            assert self.process.poll() is None
            time.sleep(0.05)
        self.version = self._at_work.read_text(encoding="utf-8")

    def end(self) -> None:
        self._goes_on.unlink()
        assert self.process.wait() == 0


@pytest.mark.costly
def test_a_slow_copy_a_tick_a_retraining_and_a_kill_overlap(released, loaded: dg.Definitions, checkout: Path) -> None:
    project = released.project
    shutil.copy(checkout / "dagster.yaml", project.root)
    with dg.DagsterInstance.from_config(str(dagster_home.make(project))) as instance:
        curation = Sensor("new_source_files", loaded, instance)
        retraining = Sensor("retraining", loaded, instance, LONG_AGO)

        def files_are_looked_at() -> Any:
            curation.cursor = json.dumps({**json.loads(curation.cursor or "{}"), "looked": 0.0})
            return curation.tick()

        released.curate("v2", ["c", "d"])
        released.set(automation={"quiet_seconds": 3600, "min_new_items": 2})
        for written in range(3):  # the copy begins, and the tick comes in the middle of it
            (released.inbox / "late.mp4").write_bytes(b"." * written)
            assert not files_are_looked_at().run_requests
        (first,) = retraining.tick().run_requests
        killed = Retraining(project, first)
        assert killed.version == "v2"

        retraining.cursor = LONG_AGO  # the next tick comes while the first retraining is at work
        for _ in range(5):
            assert not retraining.tick().run_requests
        (released.inbox / "late.mp4").write_bytes(b"." * 9)
        assert not files_are_looked_at().run_requests
        released.set(automation={"quiet_seconds": 0, "min_new_items": 2})  # the copy is over
        assert len(files_are_looked_at().run_requests) == 1, "a retraining does not keep curation from its work"
        released.curate("v3", ["c", "d", "e"])
        assert not files_are_looked_at().run_requests

        killed.process.kill()
        killed.process.wait()
        (second,) = retraining.tick().run_requests
        assert second.tags[run_tags.REASON].startswith("3 new clips"), "the newest state, not the one it was killed on"
        again = Retraining(project, second)  # the place in the pool is free again, or it would wait here for ever
        assert again.version == "v3"
        again.end()
        released.release("v3")
        retraining.cursor = LONG_AGO
        assert "v3 is what was trained on last" in retraining.tick().skip_message

        newest, oldest = instance.get_runs()
        assert [newest.status, oldest.status] == [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]
        assert not instance.event_log_storage.get_concurrency_info("accelerator").active_run_ids
        made = instance.fetch_materializations(dg.AssetKey("wfvae"), limit=9).records
        assert [each.asset_materialization.tags["dagster/data_version"] for each in made] == ["v3"]
        failure = explained(instance, project, oldest.run_id, None)
        assert (failure.name, failure.failed) == ("lineage", {})
    answers = [(each.about, each.yes) for each in decisions.last(project, 99)][::-1]
    assert answers == [
        *[("curation", False), ("retraining", True), ("retraining", False), ("curation", True)],
        *[("retraining", True), ("retraining", False)],
    ]
