"""Starting training programs so that their words arrive in Dagster while they run."""

from collections.abc import Callable

import dagster as dg

from ops.training.launch import Command, run
from pipelines.lineage_run import PIPELINE_RUN_TAG

Launch = Callable[[Command], None]


class TrainingProcess(dg.ConfigurableResource):
    """Opens a Pipes session around a launch: rank 0's log lines and results reach the asset's event log.

    The process itself (its group, log files, heartbeat and end) is the business of `ops.training.launch`.
    """

    def launcher(self, context: dg.AssetExecutionContext) -> Launch:
        """A launch function for `ops.training`; it opens its session only when something is launched."""

        def start(command: Command) -> None:
            with dg.open_pipes_session(
                context=context,
                context_injector=dg.PipesTempFileContextInjector(),
                message_reader=dg.PipesTempFileMessageReader(),
                extras={"pipeline_run": context.run.tags.get(PIPELINE_RUN_TAG, context.run_id)},
            ) as session:
                run(command.with_environment(session.get_bootstrap_env_vars()))

        return start
