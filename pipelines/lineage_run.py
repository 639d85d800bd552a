"""One run of the graph in a process of its own, recorded in this project's Dagster instance.

`python -m pipelines.lineage_run SELECTION TAGS` is what `soraflow run` starts and watches.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ops.config import WronglyCalled
from ops.exit_codes import EXIT_CODES
from ops.runtime.device import accelerator_environment
from ops.runtime.project import Project
from pipelines import dagster_home, run_tags

if TYPE_CHECKING:
    import dagster as dg
    from dagster_shared.error import SerializableErrorInfo

BARE_NAME = re.compile(r"(?P<above>\d*\+|)(?P<name>\w[\w*]*)(?P<below>\+\d*|)")
"""Of an asset in a selection, with how much above and below it is meant."""


def environment(project: Project) -> dict[str, str]:
    """What every process of a project needs: its own Dagster home, its MLflow store, UTF-8 for texts, file names and
    logs whatever the machine's locale is, and no phoning home."""
    (project.var / "mlflow").mkdir(parents=True, exist_ok=True)
    return {
        **os.environ,
        "SORAFLOW_PROJECT": str(project.root),
        "DAGSTER_HOME": str(dagster_home.make(project)),
        "MLFLOW_TRACKING_URI": project.tracking_uri,
        **accelerator_environment(project.accelerator),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
        "PYTHONUTF8": "1",
        "GX_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }


def start(project: Project, selection: str, tags: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
    """Begin a run of the selected assets; what the process prints goes to `log`."""
    log.parent.mkdir(parents=True, exist_ok=True)
    argv = [sys.executable, "-m", "pipelines.lineage_run", selection, json.dumps(dict(tags))]
    with log.open("wb") as output:
        return subprocess.Popen(
            argv, cwd=project.root, env=environment(project), stdout=output, stderr=subprocess.STDOUT
        )


def selected(selection: str, definitions: dg.Definitions | None = None) -> list[dg.AssetKey]:
    """The assets of a selection: the syntax of the Dagster page, several joined by commas, in which the name of an
    asset may stand without `key:`. `+wfvae` is an asset with everything above it, `1+wfvae` with one step of that. The
    graph is that of the definitions, which are loaded unless they are given.

    Raises:
        WronglyCalled: when it cannot be parsed or selects nothing; the message lists the assets.
    """
    import dagster as dg

    graph = (definitions or _definitions()).resolve_asset_graph()
    names = ", ".join(sorted(key.to_user_string() for key in graph.get_all_asset_keys()))
    keys: set[dg.AssetKey] = set()
    for part in selection.split(","):
        try:
            found = dg.AssetSelection.from_string(_spelled_out(part.strip())).resolve(graph)
        except dg.DagsterError as error:
            why = str(error).partition("\n")[0]
            raise WronglyCalled(f"--select: '{part}' is no selection of assets ({why}); they are: {names}") from None
        if not found:
            raise WronglyCalled(f"--select: '{part}' selects nothing; the assets are: {names}")
        keys |= found
    return sorted(keys)


def _spelled_out(part: str) -> str:
    """A bare name as the page writes it: of `+wfvae`, Dagster's older syntax would take one step only."""
    named = BARE_NAME.fullmatch(part)
    return f'{named["above"]}key:"{named["name"]}"{named["below"]}' if named else part


def execute(selection: str, tags: Mapping[str, str]) -> int:
    """Materialise the selection here and now; returns the exit status.

    0 when every step succeeded and no check failed; 3 when a step kept nothing, 4 when one has too many inputs parked
    (`ops.exit_codes`), and otherwise 1.
    """
    import dagster as dg

    definitions = _definitions()
    job = definitions.resolve_job_def("lineage")
    with dg.DagsterInstance.get() as instance:
        result = job.execute_in_process(
            instance=instance,
            tags={**tags, run_tags.HOST: socket.gethostname()},
            asset_selection=selected(selection, definitions),
            raise_on_error=False,
        )
    if result.success:
        return 0
    failures = [event.step_failure_data.error for event in result.all_events if event.is_step_failure]
    return exit_status([_exit_code(error) for error in failures])


def exit_status(failures: Sequence[int]) -> int:
    """Of a run whose steps ended like this: theirs where they agree, for 3 and 4 promise that nothing is lost."""
    return failures[0] if len(set(failures)) == 1 else 1


def _exit_code(error: SerializableErrorInfo | None) -> int:
    """Dagster wraps what an asset raises; the error itself is the cause of the one that it tells."""
    while error is not None:
        if error.cls_name in EXIT_CODES:
            return EXIT_CODES[error.cls_name]
        error = error.cause
    return 1


def _definitions() -> dg.Definitions:
    import warnings

    import dagster as dg

    from pipelines.definitions import defs

    # Dagster's own parser of selections calls functions that Dagster marks as beta.
    warnings.filterwarnings("ignore", category=dg.BetaWarning)
    return defs()


if __name__ == "__main__":
    sys.exit(execute(sys.argv[1], json.loads(sys.argv[2])))
