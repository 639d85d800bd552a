"""How a step that worked as it should, and still cannot be gone on from, ends its command.

`python -m ops STEP` and `soraflow run` end with these exit statuses; 0, 1 and 2 are done, failed and wrongly called.
"""

from __future__ import annotations

INTERRUPTED = 130
"""As shells call it: 128 and the number of SIGINT."""


class StepStopped(RuntimeError):
    """The message says what happened and which commands help; the step's table shows every row with its reason."""

    exit_code: int


class NothingKept(StepStopped):
    """Something went in and nothing came out; the message shows where it was lost."""

    exit_code = 3


class TooManyParked(StepStopped):
    """More of a step's inputs failed, again and again, than the recipe allows."""

    exit_code = 4


EXIT_CODES = {error.__name__: error.exit_code for error in (NothingKept, TooManyParked)}
"""By the class's name, for whoever hears of an error from another process."""
