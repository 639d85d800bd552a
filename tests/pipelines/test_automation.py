"""What starts work without a person: the condition, the weekly decision, the sensors."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import dagster as dg
import pytest

from ops.runtime.project import Project
from pipelines.definitions import defs
from pipelines.factories.automation_conditions import RETRAIN


class Dataset:
    """A dataset and a model made from it, with a check that can be told to fail."""

    version = "1"
    passes = True

    def definitions(self) -> dg.Definitions:
        @dg.asset
        def training_set() -> dg.MaterializeResult:
            return dg.MaterializeResult(data_version=dg.DataVersion(self.version))

        @dg.asset_check(asset=training_set, blocking=True)
        def meets_expectations() -> dg.AssetCheckResult:
            return dg.AssetCheckResult(passed=self.passes)

        @dg.asset(deps=[training_set], automation_condition=RETRAIN)
        def model() -> None: ...

        return dg.Definitions(assets=[training_set, model], asset_checks=[meets_expectations])

    def materialise(self, instance: dg.DagsterInstance) -> None:
        job = self.definitions().resolve_implicit_global_asset_job_def()
        job.execute_in_process(instance=instance, asset_selection=[dg.AssetKey("training_set")], raise_on_error=False)


def test_the_model_is_asked_for_when_good_data_is_new() -> None:
    dataset = Dataset()
    cursor = None
    with dg.DagsterInstance.ephemeral() as instance:

        def asked_for() -> int:
            nonlocal cursor
            found = dg.evaluate_automation_conditions(dataset.definitions(), instance, cursor=cursor)
            cursor = found.cursor
            return found.total_requested

        dataset.materialise(instance)
        asked_for()  # the first tick sets the baseline
        dataset.materialise(instance)
        assert asked_for() == 0, "the same version again is nothing new"
        dataset.version, dataset.passes = "2", False
        dataset.materialise(instance)
        assert asked_for() == 0, "data that failed its check"
        dataset.passes = True
        dataset.materialise(instance)
        assert asked_for() == 1, "new data that passed"


@pytest.fixture
def in_project(finished, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setenv("SORAFLOW_PROJECT", str(finished.project.root))
    return finished.project


def tick(project: Project):
    schedule = defs().get_repository_def().get_schedule_def("weekly_retraining")
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_schedule_context(instance=instance, resources=defs().resources)
        return schedule.evaluate_tick(context)


def test_the_weekly_tick_writes_down_why_it_does_not_retrain(in_project: Project) -> None:
    found = tick(in_project)
    assert not found.run_requests
    assert "is what was trained on last" in found.skip_message
    last = json.loads((in_project.var / "retraining.jsonl").read_text().splitlines()[-1])
    assert last["retrain"] is False
    assert last["reason"] == found.skip_message


def test_the_weekly_tick_trains_where_nothing_was_trained(project: Project) -> None:
    found = tick(project)
    (request,) = found.run_requests
    assert request.tags["soraflow/reason"] == "nothing was trained here yet"


def test_new_files_start_curation_once(in_project: Project) -> None:
    sensor = defs().get_repository_def().get_sensor_def("new_source_files")

    def look():
        with dg.DagsterInstance.ephemeral() as instance:
            context = dg.build_sensor_context(instance=instance, resources=defs().resources)
            return sensor.evaluate_tick(context)

    assert "already list" in look().skip_message
    captions = in_project.root / "configs" / "demo_captions.json"
    before = captions.read_text()
    captions.write_text(before.replace("rabbit", "hare", 1))
    try:
        first, second = look(), look()
    finally:
        captions.write_text(before)
    assert [request.run_key for request in first.run_requests] == [request.run_key for request in second.run_requests]


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


def test_a_failed_run_is_reported(project: Project, webhook: type[Webhook]) -> None:
    @dg.op
    def breaks() -> None:
        raise RuntimeError("no more disk")

    @dg.job
    def broken() -> None:
        breaks()

    with dg.DagsterInstance.ephemeral() as instance:
        result = broken.execute_in_process(instance=instance, raise_on_error=False)
        context = dg.build_run_status_sensor_context(
            sensor_name="run_failures",
            dagster_instance=instance,
            dagster_run=result.dagster_run,
            dagster_event=result.get_run_failure_event(),
            resources=defs().resources,
        ).for_run_failure()
        defs().get_repository_def().get_sensor_def("run_failures")(context)
    (failure,) = map(json.loads, (project.var / "failures.jsonl").read_text().splitlines())
    assert failure["run_id"] == result.run_id
    assert result.run_id in webhook.told[0]["text"]
