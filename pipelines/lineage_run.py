"""One run of the graph in a process of its own, recorded in this project's Dagster instance.

`python -m pipelines.lineage_run SELECTION TAGS` is what `soraflow run` starts and watches.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from ops.runtime.project import Project

PIPELINE_RUN_TAG = "soraflow/pipeline_run"


def environment(project: Project) -> dict[str, str]:
    """What every process of a project needs: its own Dagster home, its MLflow store, and no phoning home."""
    project.dagster_home.mkdir(parents=True, exist_ok=True)
    (project.var / "mlflow").mkdir(parents=True, exist_ok=True)
    shutil.copyfile(project.root / "dagster.yaml", project.dagster_home / "dagster.yaml")
    return {
        **os.environ,
        "SORAFLOW_PROJECT": str(project.root),
        "DAGSTER_HOME": str(project.dagster_home),
        "MLFLOW_TRACKING_URI": project.tracking_uri,
        "DS_ACCELERATOR": project.settings.launch.accelerator,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
        "GX_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
    }


def start(project: Project, selection: str, tags: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
    """Begin a run of the selected assets; what the process prints goes to `log`."""
    log.parent.mkdir(parents=True, exist_ok=True)
    argv = [sys.executable, "-m", "pipelines.lineage_run", selection, json.dumps(dict(tags))]
    with log.open("wb") as output:
        return subprocess.Popen(
            argv, cwd=project.root, env=environment(project), stdout=output, stderr=subprocess.STDOUT
        )


def execute(selection: str, tags: Mapping[str, str]) -> bool:
    """Materialise the selection here and now; true when every step succeeded."""
    import dagster as dg

    from pipelines.definitions import defs

    definitions = defs()
    graph = definitions.resolve_asset_graph()
    keys = dg.AssetSelection.from_string(selection).resolve(graph)
    job = definitions.resolve_job_def("lineage")
    with dg.DagsterInstance.get() as instance:
        result = job.execute_in_process(
            instance=instance, tags=dict(tags), asset_selection=sorted(keys), raise_on_error=False
        )
    return result.success


if __name__ == "__main__":
    sys.exit(0 if execute(sys.argv[1], json.loads(sys.argv[2])) else 1)
