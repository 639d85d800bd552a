"""Being told to stop by SIGTERM or SIGINT: at once, except in the middle of what has to be whole.

A handler that raises does so between any two instructions of the main thread: inside a transaction, whose lock on the
database is then never given back, or after a process was started and before anybody knew of it. What must not be left
like that says so.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

REQUESTS_TO_STOP = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def held_back() -> Iterator[None]:
    """Hand a request to stop that comes meanwhile to its handler when this is over, and not before.

    It can be nested, and serves as a decorator, too. What it is around has to be short, or has to end by itself, for a
    launcher kills whoever does not stop for long. Handlers run in the main thread: in another one this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        came.append(number)

    handlers = {number: signal.getsignal(number) for number in REQUESTS_TO_STOP}
    ours = {number: handler for number, handler in handlers.items() if handler is not None}  # None: not of Python
    try:
        for number in ours:
            signal.signal(number, note)
        yield
    finally:
        for number, handler in ours.items():
            signal.signal(number, handler)
        for each in dict.fromkeys(came):
            signal.raise_signal(each)
