"""The weekly tick: it decides whether retraining is worth it, and writes the decision down either way."""

import dagster as dg

from ops.runtime.project import Project
from pipelines.defs.automation.jobs import LINEAGE
from pipelines.resources.project import ProjectResource


@dg.definitions
def schedule() -> dg.Definitions:
    @dg.schedule(
        name="weekly_retraining",
        job_name=LINEAGE,
        cron_schedule=Project.find().settings.automation.schedule,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Retrains when enough new clips and images have come in; otherwise records why not.",
    )
    def weekly_retraining(
        context: dg.ScheduleEvaluationContext, project: ProjectResource
    ) -> dg.RunRequest | dg.SkipReason:
        from ops.release import retraining

        decision = retraining.decide(project.get())
        if not decision.retrain:
            return dg.SkipReason(decision.reason)
        return dg.RunRequest(tags={"soraflow/reason": decision.reason})

    return dg.Definitions(schedules=[weekly_retraining])
