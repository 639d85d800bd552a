"""How a run calls the step that checks a table."""

SUFFIX = "_meets_expectations"


def checked_table(step: str) -> str | None:
    """The table that a step checks; None when it does something else."""
    return step.removesuffix(SUFFIX) if step.endswith(SUFFIX) else None
