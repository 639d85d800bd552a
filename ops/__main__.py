"""`python -m ops NAME` runs one dataset step; this is what the stages of `dvc.yaml` call."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from ops.config import ConfigError
from ops.exit_codes import INTERRUPTED, StepStopped
from ops.runtime.project import Project
from ops.steps import UnknownStep, step


def main(arguments: Sequence[str]) -> int:
    """Exit status: 0 done, 1 the recipe cannot be used, 2 no such step, 3 nothing kept, 4 too many inputs parked, 130
    interrupted.

    Other errors keep their traceback, and end with 1.
    """
    try:
        found = step(arguments[0] if len(arguments) == 1 else "")
    except UnknownStep as error:
        print(error if arguments else "usage: python -m ops NAME", file=sys.stderr)
        return 2
    try:
        found.load()(Project.find())
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 1
    except StepStopped as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("interrupted; the same command goes on", file=sys.stderr)
        return INTERRUPTED
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
