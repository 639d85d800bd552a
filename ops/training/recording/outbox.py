"""Records on their way to a store that may be away: sent in order, and kept in a file until they have arrived."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

from ops.runtime.files import Document, write_json

Record = Document
SECONDS_BETWEEN_TRIES = 30.0
COST_OF_TRYING = 10
"""A store that is away is asked again after this many times the seconds that asking took, so that a training whose
store does not answer is slowed by a tenth at most."""


class Outbox:
    """What could not be sent lies in the file `path`, which is there only as long as something waits."""

    def __init__(self, path: Path, deliver: Callable[[Record], None], errors: tuple[type[Exception], ...]) -> None:
        """`deliver` hands one record to the store and may do so twice; `errors` are those that say: not now."""
        self.path, self._deliver, self._errors = path, deliver, errors
        self._waiting: list[Record] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
        self._not_before = 0.0

    @property
    def waiting(self) -> list[Record]:
        """In the order in which they were made."""
        return list(self._waiting)

    def add(self, record: Record) -> None:
        self._waiting.append(record)

    def send(self, at_once: bool = False) -> Exception | None:
        """Send what waits, unless the store was away a moment ago and this is not to be done `at_once`.

        What still waits is on the disk afterwards. Returns why it could not be sent, or None.
        """
        began = time.monotonic()
        if not at_once and began < self._not_before:
            self._keep()
            return None
        sent, problem = 0, None
        for record in self._waiting:
            try:
                self._deliver(record)
            except self._errors as error:
                problem = error
                break
            sent += 1
        self._waiting = self._waiting[sent:]
        self._keep()
        took = time.monotonic() - began
        self._not_before = time.monotonic() + max(SECONDS_BETWEEN_TRIES, COST_OF_TRYING * took) if problem else 0.0
        return problem

    def _keep(self) -> None:
        if self._waiting:
            write_json(self.path, self._waiting)
        else:
            self.path.unlink(missing_ok=True)
