"""A request to stop waits for the end of what has to be whole, and is lost neither there nor by it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator

import pytest

from ops.runtime.interruptions import held_back


class Stopped(BaseException):
    pass


@pytest.fixture(autouse=True)
def raising() -> Iterator[None]:
    def stop(number: int, frame: object) -> None:
        raise Stopped(number)

    before = signal.signal(signal.SIGTERM, stop)
    yield
    signal.signal(signal.SIGTERM, before)


def test_what_was_begun_is_ended_first() -> None:
    done = []

    def work() -> None:
        with held_back():
            signal.raise_signal(signal.SIGTERM)
            done.append("inside")
        done.append("after")

    with pytest.raises(Stopped):
        work()
    assert done == ["inside"]


def test_sigint_is_held_back_as_sigterm_is() -> None:
    done = []

    @held_back()
    def work() -> None:
        signal.raise_signal(signal.SIGINT)
        done.append("inside")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == ["inside"]


def test_the_outermost_decides() -> None:
    done = []

    @held_back()
    def work() -> None:
        with held_back():
            signal.raise_signal(signal.SIGTERM)
        done.append("between")

    with pytest.raises(Stopped):
        work()
    assert done == ["between"]


def test_afterwards_requests_are_heard_at_once() -> None:
    with held_back():
        pass
    with pytest.raises(Stopped):
        signal.raise_signal(signal.SIGTERM)


def test_an_error_inside_does_not_swallow_the_request() -> None:
    @held_back()
    def work() -> None:
        signal.raise_signal(signal.SIGTERM)
        raise ValueError("the work's own")

    with pytest.raises(Stopped) as stopped:
        work()
    assert isinstance(stopped.value.__context__, ValueError)


def test_one_that_is_ignored_stays_ignored() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with held_back():
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN


def test_in_a_thread_it_is_no_hindrance() -> None:
    done = []

    @held_back()
    def work() -> None:
        done.append("in a thread")

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == ["in a thread"]
