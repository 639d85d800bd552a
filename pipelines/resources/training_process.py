"""Starting training programs so that their words arrive in Dagster while they run."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import dagster as dg

if TYPE_CHECKING:
    from ops.training.launching.launch import Command


CANCELLED = "The training was told to stop and has kept its checkpoints; materialise the asset again to go on."


class TrainingProcess(dg.ConfigurableResource[None]):
    """Opens a Pipes session around a launch: rank 0's log lines and results reach the asset's event log.

    Cancelling a run is an ordinary end of it: Dagster is given a sentence in place of its own interrupt's stack trace.
    The process itself (its group, log files, heartbeat and end) is the business of `ops.training.launching.launch`.
    """

    def launcher(self, context: dg.AssetExecutionContext) -> "Callable[[Command], None]":
        """A launch function for `ops.training`; it opens its session only when something is launched."""
        from ops.training.launching import launch

        def start(command: "Command") -> None:
            stopped = False
            command.logs.mkdir(parents=True, exist_ok=True)
            # Beside the logs, which every node sees; rank 0 need not run where Dagster does.
            with dg.open_pipes_session(
                context=context,
                context_injector=dg.PipesFileContextInjector(str(command.logs / "pipes_context.json")),
                message_reader=dg.PipesFileMessageReader(str(command.logs / "pipes_messages.jsonl")),
            ) as session:
                environment = {**command.environment, **session.get_bootstrap_env_vars()}
                try:
                    launch.run(replace(command, environment=environment))
                except (dg.DagsterExecutionInterruptedError, KeyboardInterrupt):
                    stopped = True
            if stopped:
                raise dg.Failure(CANCELLED, allow_retries=False)

        return start
