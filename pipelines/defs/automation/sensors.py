"""What reacts: to new source files, to new data versions, to runs that failed."""

import dagster as dg

from ops.runtime.project import Project
from pipelines.defs.automation.jobs import CURATION
from pipelines.resources.project import ProjectResource


@dg.definitions
def sensors() -> dg.Definitions:
    @dg.sensor(
        job_name=CURATION,
        minimum_interval_seconds=Project.find().settings.automation.watch_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Starts curation when files in the source folders were added, changed or removed.",
    )
    def new_source_files(
        context: dg.SensorEvaluationContext, project: ProjectResource
    ) -> dg.RunRequest | dg.SkipReason:
        from ops.curation.sources import listing

        home = project.get()
        changed = [name for name in ("raw_videos", "raw_images") if listing.listing_changed(home, name)]
        if not changed:
            return dg.SkipReason("the source folders hold what the tables already list")
        fingerprint = listing.listing_fingerprint(home)
        return dg.RunRequest(run_key=fingerprint, tags={"soraflow/reason": f"new files for {' and '.join(changed)}"})

    immediately = Project.find().settings.automation.on_new_data
    new_data_versions = dg.AutomationConditionSensorDefinition(
        "new_data_versions",
        target=dg.AssetSelection.all(),
        default_status=dg.DefaultSensorStatus.RUNNING if immediately else dg.DefaultSensorStatus.STOPPED,
        description="Makes what depends on a dataset again when its version changed and its checks passed.",
    )

    @dg.run_failure_sensor(
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Appends each failed run to var/failures.jsonl and posts it to SORAFLOW_ALERT_WEBHOOK, if set.",
    )
    def run_failures(context: dg.RunFailureSensorContext, project: ProjectResource) -> None:
        from ops.runtime import alerts

        alerts.report_failure(
            project.get(),
            run_id=context.dagster_run.run_id,
            job=context.dagster_run.job_name,
            message=context.failure_event.message or "no message",
        )

    return dg.Definitions(sensors=[new_source_files, new_data_versions, run_failures])
