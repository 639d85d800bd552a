"""`soraflow generate`: a bar while the video is made, then where it lies."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress

from ops.config import WronglyCalled
from ops.runtime.project import Project

if TYPE_CHECKING:
    from ops.sampling.request import Chosen, Given


@dataclass(frozen=True)
class Asked:
    """The frames to be given, as the command was told them."""

    image: Path | None = None
    first: Path | None = None
    last: Path | None = None
    continued: Path | None = None
    count: int | None = None

    def given(self) -> Given | None:
        """Raises WronglyCalled for options that contradict each other, SamplingError for files that are not there."""
        from ops.sampling.request import Given

        ways = {"--image": self.image, "--first and --last": self.first or self.last, "--continue": self.continued}
        used = [name for name, file in ways.items() if file]
        if len(used) > 1:
            raise WronglyCalled(f"{' as well as '.join(used)} say which frames are given: use one of these ways")
        if self.count is not None and not self.continued:
            raise WronglyCalled("--given says how many frames of a video are given: it goes with --continue alone")
        if self.image:
            return Given.beginning(self.image)
        if self.continued:
            return Given.end_of(self.continued, self.count)
        if self.first and self.last:
            return Given.ends(self.first, self.last)
        if self.first or self.last:
            lacks = "--last" if self.first else "--first"
            raise WronglyCalled(f"{lacks} is missing: a transition has both; for a first frame alone there is --image")
        return None


def generate(
    project: Project,
    prompt: str,
    output: Path,
    checkpoint: str | None,
    seed: int,
    asked: Asked,
    chosen: Chosen,
    ranks: int,
    console: Console,
) -> None:
    from ops.release.generate import generate as make

    given = asked.given()
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("loading the model", total=None)
        made = make(
            project,
            prompt,
            output,
            checkpoint,
            seed,
            given=given,
            ranks=ranks,
            **chosen,
            on_step=lambda done, total: progress.update(task, description="denoising", completed=done, total=total),
        )
    for note in made.notes:
        console.print(f"[yellow]note:[/] {escape(note)}", highlight=False)
    told = escape(f"by {made.model} in {made.seconds:.1f} s; settings in {made.settings}")
    console.print(f"{escape(str(made.path))} [dim]{told}[/]")
