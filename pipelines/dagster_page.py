"""Dagster's page behind the guard, with the project's pictures.

`python -m pipelines.dagster_page HOST PORT WORKSPACE_FILE [NAME …]` serves it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import uvicorn

from ops.runtime.loopback import HOSTS, Guard
from ops.runtime.project import Project
from pipelines import pictures

POLL_MILLISECONDS = 2000
"""How often the page asks for news of assets; what `dagster dev` takes."""
STATEMENT_MILLISECONDS = 15_000
RECYCLE_SECONDS = 3600
MAX_OVERFLOW = 20


def serve(host: str, port: int, workspace: str, names: Sequence[str]) -> None:
    """Serve until SIGINT or SIGTERM what `dagster-webserver` serves, to those whom the guard lets through."""
    from dagster import DagsterInstance
    from dagster._core.workspace.context import WorkspaceProcessContext
    from dagster._core.workspace.load_target import WorkspaceFileTarget
    from dagster_webserver.app import create_app_from_workspace_process_context

    with DagsterInstance.get() as instance:
        instance.optimize_for_webserver(STATEMENT_MILLISECONDS, RECYCLE_SECONDS, MAX_OVERFLOW)
        with WorkspaceProcessContext(instance, WorkspaceFileTarget([workspace])) as context:
            app = create_app_from_workspace_process_context(context, live_data_poll_rate=POLL_MILLISECONDS)
            app.router.routes.insert(0, pictures.route(Project.find()))  # before Dagster's own, which take any address
            uvicorn.run(Guard(app, (*HOSTS, *names)), host=host, port=port, log_level="warning", server_header=False)


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4:])
