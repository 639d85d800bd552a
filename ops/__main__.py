"""`python -m ops NAME` runs one dataset step; this is what the stages of `dvc.yaml` call."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from ops.config import ConfigError
from ops.runtime.project import Project
from ops.steps import UnknownStep, step


def main(arguments: Sequence[str]) -> int:
    """Exit status: 0 done, 1 the recipe cannot be used, 2 no such step. Other errors keep their traceback."""
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
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
