"""`python -m ops.training ASSET` is one rank of a training whose ranks a scheduler has started: `launch.launcher: env`.

Every rank runs the same line, with RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR and MASTER_PORT in its environment, as
`torchrun` and trainers of Kubernetes set them. Afterwards `soraflow run` finds the training finished.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from ops.config import ConfigError
from ops.exit_codes import INTERRUPTED
from ops.runtime.project import Project
from ops.training.launching.launch import LaunchError
from ops.training.trainings import UnknownTraining


def main(arguments: Sequence[str]) -> int:
    """Exit status: 0 done, 1 failed, 2 called wrongly, 130 interrupted. Errors but these keep their traceback."""
    from ops.training.assets import take_part

    if len(arguments) != 1:
        print("usage: python -m ops.training ASSET", file=sys.stderr)
        return 2
    try:
        take_part(Project.find(), arguments[0])
    except UnknownTraining as error:
        print(error, file=sys.stderr)
        return 2
    except (ConfigError, LaunchError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; the same command goes on", file=sys.stderr)
        return INTERRUPTED
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
