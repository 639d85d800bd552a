"""What soraflow does without being asked: when it looks, what it waits for, and what is worth a retraining."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from ops.config.section import Execution, Positive

Seconds = Annotated[int, Field(ge=0)]

_CRON_FIELD = re.compile(r"[0-9A-Za-z*/,\-?#]+")
_CRON_NAMES = ("@hourly", "@daily", "@weekly", "@monthly", "@yearly")


def _cron(text: str) -> str:
    fields = text.split()
    if text not in _CRON_NAMES and not (len(fields) == 5 and all(map(_CRON_FIELD.fullmatch, fields))):
        raise ValueError(
            f"is {text!r}, but a schedule has five fields (minute, hour, day of the month, month, day of the week), "
            f"as in '0 3 * * 1', or is one of {', '.join(_CRON_NAMES)}"
        )
    return text


class Automation(Execution):
    """Read anew whenever soraflow looks, so that an edit counts without a restart."""

    schedule: Annotated[str, AfterValidator(_cron)] = "0 3 * * 1"
    """When retraining is considered: a cron expression, in UTC."""
    min_new_items: Positive = 100
    """Fewer new curated clips and images than this since the last training: not worth retraining."""
    on_new_data: bool = False
    """Consider retraining as soon as a new data version has passed its checks, and not only on schedule."""
    watch_seconds: Positive = 300
    """How often the source folders are looked at."""
    quiet_seconds: Seconds = 60
    """Curation waits until nothing in the source folders has changed for so long: a file may still be on its way."""
    longest_wait_seconds: Seconds = 3600
    """In a folder that is never quiet, curation starts after this long all the same."""
