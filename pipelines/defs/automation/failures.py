"""What tells people that a run failed."""

import dagster as dg

from pipelines import failures
from pipelines.resources.project import ProjectResource


@dg.definitions
def run_failures() -> dg.Definitions:
    @dg.run_failure_sensor(
        name="run_failures",
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Appends each failed run to var/failures.jsonl and the daily log, and posts it to "
        "SORAFLOW_ALERT_WEBHOOK, if set.",
    )
    def sensor(context: dg.RunFailureSensorContext, project: ProjectResource) -> None:
        from ops.runtime import alerts

        run_id, message = context.dagster_run.run_id, context.failure_event.message
        alerts.report(project.get(), failures.explained(context.instance, project.get(), run_id, message))

    return dg.Definitions(sensors=[sensor])
