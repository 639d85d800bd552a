"""Orchestration: what `soraflow run` takes from start to end, over what its steps take.

`python -m benchmarks.orchestration` with a few steps of each training, `--demo` with the recipe of `make demo`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from benchmarks.fresh_project import fresh_project, micro
from benchmarks.report import Report
from ops.runtime.project import Project

SLOWEST = 5


@dataclass(frozen=True)
class Figures:
    """Seconds: the whole command, each step by Dagster's event log, and the command again with nothing changed."""

    wall: float
    steps: dict[str, float]
    again: float

    @property
    def own(self) -> float:
        return sum(self.steps.values())


def measure(project: Project, selection: str = "*") -> Figures:
    """Run the selection twice in a project where nothing has been made yet."""
    wall = run(project, selection)
    steps = step_seconds(project)
    return Figures(wall, steps, run(project, selection))


def run(project: Project, selection: str) -> float:
    """Seconds from the start of `soraflow run` to its end, the summary included.

    Raises:
        RuntimeError: when it fails; the message is what it printed.
    """
    command = [str(Path(sys.executable).parent / "soraflow"), "run", "--select", selection]
    started = time.perf_counter()
    done = subprocess.run(command, cwd=project.root, capture_output=True, encoding="utf-8", errors="replace")
    if done.returncode:
        raise RuntimeError(f"soraflow run failed:\n{done.stdout}{done.stderr}")
    return time.perf_counter() - started


def step_seconds(project: Project) -> dict[str, float]:
    """Seconds between the start and the success of each step of the only run, by Dagster's event log."""
    import dagster as dg

    begun: dict[str, float] = {}
    taken: dict[str, float] = {}
    with dg.DagsterInstance.from_config(str(project.dagster_home)) as instance:
        (run,) = instance.get_runs()
        for entry in instance.all_logs(run.run_id):
            event = entry.dagster_event
            if event is None or event.step_key is None:
                continue
            if event.is_step_start:
                begun[event.step_key] = entry.timestamp
            elif event.is_step_success:
                taken[event.step_key] = entry.timestamp - begun[event.step_key]
    return taken


def report(figures: Figures, recipe: str) -> Report:
    slowest = sorted(figures.steps, key=figures.steps.__getitem__, reverse=True)[:SLOWEST]
    around = figures.wall - figures.own
    rows = [
        ("the whole command", figures.wall),
        (f"its {len(figures.steps)} steps together", figures.own),
        ("around them", around),
        *((f"step {name}", figures.steps[name]) for name in slowest),
        ("the command again, nothing changed", figures.again),
    ]
    return Report(
        "Orchestration",
        f"The whole command takes {figures.wall / figures.own:.2f} times what its steps take.",
        ("", "seconds", "of the whole"),
        [(name, f"{seconds:.1f}", f"{seconds / figures.wall:.0%}") for name, seconds in rows],
        (
            f"`soraflow run` in a fresh project, {recipe}. A step's time is from its start to its success in Dagster's "
            "event log.",
            "Around the steps lie the start of Python and Dagster, loading the definitions, Dagster's records between "
            "steps, and the summary.",
        ),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--demo", action="store_true", help="the recipe of `make demo` (half an hour)")
    demo = parser.parse_args().demo
    recipe = "preset `demo` as in `make demo`" if demo else "preset `tiny` with four steps of each training"
    console = Console()
    with console.status("running the graph twice"), fresh_project({"preset": "demo"} if demo else micro()) as project:
        figures = measure(project)
    result = report(figures, recipe)
    result.show(console)
    result.write()


if __name__ == "__main__":
    main()
