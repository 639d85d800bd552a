"""Read from MLflow how each checkpoint scored, for a table or a plot of your own.

`python examples/scores_from_mlflow.py`, inside a project in which checkpoints have been scored, or with
MLFLOW_TRACKING_URI set to a server that has their runs.
"""

from __future__ import annotations

from ops.runtime.project import Project
from ops.runtime.tracking.connection import connect
from ops.runtime.tracking.pipeline_run import EXPERIMENT


def scores(project: Project) -> dict[str, dict[int, dict[str, float]]]:
    """Run of scores → step of the checkpoint → metric → value. What is not available there has no value."""
    client = connect(project)
    experiment = client.get_experiment_by_name(EXPERIMENT)
    if experiment is None:
        return {}
    found: dict[str, dict[int, dict[str, float]]] = {}
    for run in client.search_runs([experiment.experiment_id], "tags.`soraflow.asset` = 'checkpoint_scores'"):
        steps = found.setdefault(run.info.run_name, {})
        for metric in run.data.metrics:
            for point in client.get_metric_history(run.info.run_id, metric):
                steps.setdefault(point.step, {})[metric] = point.value
    return found


if __name__ == "__main__":
    for run, checkpoints in scores(Project.find()).items():
        print(run)
        for step, values in sorted(checkpoints.items()):
            print(f"  step {step}:", ", ".join(f"{metric} {value:.4g}" for metric, value in sorted(values.items())))
