"""Programs that are kept running together: started, watched, started again when they die, and ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from ops.runtime.files import write_json

RESTARTS = 3
RESTARTS_WITHIN = 600.0
"""Seconds; a service that dies more often than RESTARTS times within them is given up."""
PAUSES = (1.0, 5.0, 15.0)
"""Seconds before the first, second and third new start."""
LARGEST_LOG = 20_000_000
"""Bytes; a longer log becomes LOG.1 when its service starts."""
SECONDS_BETWEEN_LOOKS = 0.3
END_SECONDS = 60
"""What is at work when everything ends (a training, say) has so long to end its records."""

Say = Callable[[str], None]


@dataclass(eq=False)
class Service:
    """A program of its own process group. `answers` says whether it does its work yet."""

    name: str
    argv: Sequence[str]
    log: Path
    answers: Callable[[], bool]
    begins: str
    """What it does first, for somebody who waits."""
    takes_group: bool = True
    """Whether the rest of its group has to go when it dies. Not where the group holds runs, which can go on."""
    after: Service | None = None
    """A service that has to answer before this one is started for the first time."""
    process: subprocess.Popen[bytes] | None = None
    deaths: list[float] = field(default_factory=list)
    starts_at: float | None = None
    """When it is started again; None while it runs or after it was given up."""
    given_up: bool = False

    def start(self, environment: Mapping[str, str], folder: Path) -> None:
        """Start the program; what it prints is added to its log."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        if self.log.is_file() and self.log.stat().st_size > LARGEST_LOG:
            os.replace(self.log, self.log.with_name(f"{self.log.name}.1"))
        with self.log.open("ab") as log:
            log.write(f"--- started {time.strftime('%Y-%m-%d %H:%M:%S')}\n".encode())
            log.flush()
            self.process = subprocess.Popen(
                self.argv,
                cwd=folder,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.starts_at = None


class Services:
    """Several services, watched until somebody interrupts or all of them were given up."""

    def __init__(
        self,
        services: Sequence[Service],
        environment: Mapping[str, str],
        folder: Path,
        say: Say,
        note: Say,
        started: Callable[[], None],
    ) -> None:
        """`say` tells the person in front of the terminal, `note` whoever looks later; `started` is called whenever
        a process has begun."""
        self._services, self._environment, self._folder = services, environment, folder
        self._say, self._note, self._started = say, note, started

    def start(self, ready: Callable[[Service], None]) -> None:
        """Start all and come back when each has answered once; `ready` is told of each as soon as it has."""
        answered: list[Service] = []
        begun: list[Service] = []
        while len(answered) < len(self._services):
            for service in self._services:
                if service not in begun and (service.after is None or service.after in answered):
                    begun.append(service)
                    self._say(f"{service.name}: {service.begins} …")
                    self._start(service)
            self.look()
            for service in [each for each in begun if each not in answered and (each.given_up or each.answers())]:
                answered.append(service)
                if not service.given_up:
                    ready(service)
            time.sleep(SECONDS_BETWEEN_LOOKS)

    def watch(self) -> None:
        """Come back when nothing is left to watch."""
        while not all(service.given_up for service in self._services):
            self.look()
            time.sleep(SECONDS_BETWEEN_LOOKS)

    def look(self) -> None:
        """See who has died, and start again whose pause is over."""
        now = time.monotonic()
        for service in self._services:
            if service.process is not None and service.process.poll() is not None:
                self._bury(service, now)
            if service.starts_at is not None and now >= service.starts_at:
                self._start(service)

    def _start(self, service: Service) -> None:
        service.start(self._environment, self._folder)
        self._started()

    def _bury(self, service: Service, now: float) -> None:
        assert service.process is not None
        ended = _how(service.process.returncode)
        if service.takes_group:  # what is left of it may hold its port
            _signal(service.process, signal.SIGKILL)
        service.process = None
        service.deaths = [moment for moment in service.deaths if now - moment < RESTARTS_WITHIN] + [now]
        number = len(service.deaths)
        if number > RESTARTS:
            service.given_up = True
            self._tell(f"{service.name} {ended} and is given up after {RESTARTS} new starts; see {service.log}")
        else:
            service.starts_at = now + PAUSES[number - 1]
            self._tell(f"{service.name} {ended}; it is started again ({number} of {RESTARTS}); see {service.log}")

    def _tell(self, message: str) -> None:
        self._say(message)
        self._note(message)

    def end(self) -> None:
        """Interrupt all and wait; a second interrupt, or END_SECONDS, ends the waiting by force."""
        running = [each.process for each in self._services if each.process is not None]
        for process in running:
            if process.poll() is None:
                _signal(process, signal.SIGINT)
        deadline = time.monotonic() + END_SECONDS
        try:
            for process in running:
                process.wait(max(0.1, deadline - time.monotonic()))
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            pass
        finally:
            for process in running:
                _signal(process, signal.SIGKILL)
                process.wait()


def record(path: Path, services: Sequence[Service]) -> None:
    """Write down which processes are at work, for `end_left_over`."""
    found = {
        each.name: {"process": _identity(each.process.pid), "takes_group": each.takes_group}
        for each in services
        if each.process is not None
    }
    write_json(path, {"keeper": _identity(os.getpid()), "services": found})


def end_left_over(path: Path) -> list[str]:
    """End the services of a keeper that was killed itself, so that their ports are free again; returns their names."""
    if not path.is_file():
        return []
    found = json.loads(path.read_text(encoding="utf-8"))
    if _lives(found["keeper"]):
        return []
    ended = [name for name, service in found["services"].items() if _ends(**service)]
    path.unlink()
    return ended


def _identity(pid: int) -> list[float]:
    """Process id and moment of birth: ids are given again."""
    try:
        return [pid, psutil.Process(pid).create_time()]
    except psutil.NoSuchProcess:
        return [pid, 0.0]


def _lives(identity: Sequence[float]) -> bool:
    pid, born = int(identity[0]), identity[1]
    return psutil.pid_exists(pid) and abs(_identity(pid)[1] - born) < 1


def _ends(process: Sequence[float], takes_group: bool) -> bool:
    """Kill a service that lives still."""
    if not _lives(process):
        return False
    with suppress(ProcessLookupError):
        (os.killpg if takes_group else os.kill)(int(process[0]), signal.SIGKILL)
    return True


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """To the whole group, which may have outlived its leader."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def _how(code: int) -> str:
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"
