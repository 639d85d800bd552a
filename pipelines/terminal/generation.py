"""`soraflow generate`: a bar while videos are made, then where they lie."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress

from ops.config import WronglyCalled
from ops.runtime.project import Project

if TYPE_CHECKING:
    from ops.release.generate import Generated
    from ops.sampling.request import Given, Request

VIDEO, FOLDER = Path("video.mp4"), Path("videos")
"""Where one video goes, and where several go, unless something else is said."""


@dataclass(frozen=True)
class Asked:
    """The frames to be given, as the command was told them."""

    image: Path | None = None
    first: Path | None = None
    last: Path | None = None
    continued: Path | None = None
    count: int | None = None

    @property
    def files(self) -> list[Path]:
        return [file for file in (self.image, self.first, self.last, self.continued) if file]

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


@dataclass(frozen=True)
class Wanted:
    """Which videos, as the command was told. `settings` are fields of a request, by name; those that are None come from
    the recipe."""

    prompt: str | None
    prompts: Path | None
    count: int
    seed: int | None
    frames: Asked
    settings: dict[str, Any]

    def requests(self, project: Project) -> list[Request]:
        """Raises WronglyCalled for options that contradict each other, SamplingError for what cannot be made."""
        from ops.sampling.prompt_file import read_prompts
        from ops.sampling.request import Request

        if self.prompt is not None and self.prompts:
            raise WronglyCalled("a prompt as well as --prompts say what is shown: use one of the two")
        if self.prompt is None and not self.prompts:
            raise WronglyCalled(
                "what should be shown? Give a prompt, a file of them (--prompts), or --again SETTINGS.json"
            )
        given = self.frames.given()
        texts = read_prompts(self.prompts) if self.prompts else [self.prompt or ""]
        changes = {**self.settings, "given": given}
        evaluation, seed = project.settings.evaluation, self.seed or 0
        asked = [Request.of(evaluation, text, seed, **changes) for text in dict.fromkeys(texts)]
        return [each for request in asked for each in request.variations(self.count)]

    def require_nothing_else(
        self, checkpoint: str | None, ranks: int, batch: int | None, lora: Sequence[str] = ()
    ) -> None:
        """Raises WronglyCalled where something is asked for that settings which are made again say themselves."""
        told: dict[str, object] = {"a prompt": self.prompt, "--prompts": self.prompts, "--seed": self.seed}
        told |= {f"--{name.replace('_', '-')}": value for name, value in self.settings.items()}
        told |= {"--count": self.count > 1, "--checkpoint": checkpoint, "--ranks": ranks > 1, "--batch": batch}
        told |= {"--lora": lora or None}
        if said := [name for name, value in told.items() if value not in (None, False)]:
            raise WronglyCalled(f"--again makes a video as its settings say: leave {', '.join(said)} out")


def generate(
    project: Project,
    wanted: Wanted,
    output: Path | None,
    checkpoint: str | None,
    ranks: int,
    batch: int | None,
    lora: Sequence[str],
    preview: bool,
    console: Console,
) -> None:
    from ops.generation.outputs import outputs_of
    from ops.release.generate import generate as make
    from ops.release.generate import generate_all

    requests = wanted.requests(project)
    outputs = outputs_of(requests, output or (VIDEO if len(requests) == 1 else FOLDER))
    with _shown(console) as on_step:
        if len(requests) == 1:
            made = [make(project, requests[0], outputs[0], checkpoint, ranks, lora, preview, on_step)]
        else:
            made = generate_all(project, requests, outputs, checkpoint, ranks, batch, lora, preview, on_step)
    for each in made:
        _show(each, console)


def generate_again(
    project: Project, settings: Path, wanted: Wanted, output: Path | None, preview: bool, console: Console
) -> None:
    from ops.release.generate import again

    with _shown(console) as on_step:
        made = again(project, settings, output or VIDEO, wanted.frames.files, preview, on_step)
    _show(made, console)


@contextmanager
def _shown(console: Console) -> Iterator[Callable[[int, int], None]]:
    """A bar that hears of (done, total) denoising steps."""
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("loading the model", total=None)
        yield lambda done, total: progress.update(task, description="denoising", completed=done, total=total)


def _show(made: Generated, console: Console) -> None:
    for note in made.notes:
        console.print(f"[yellow]note:[/] {escape(note)}", highlight=False)
    told = escape(f"by {made.model} in {made.seconds:.1f} s; settings in {made.settings}")
    console.print(f"{escape(str(made.path))} [dim]{told}[/]")
    for seam in made.seams:
        ratio = f", {seam.ratio:.2f} times what is usual" if seam.ratio is not None else ""
        console.print(f"  seam at frame {seam.frame}: {seam.difference:.2f} grey levels{ratio}", highlight=False)
