"""`soraflow why`: whether an asset would be made again, and what has changed since, on one screen."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape

from ops import lineage
from ops.config import WronglyCalled
from ops.runtime.project import Project
from ops.why import Answer, why


def show(project: Project, asset: str, console: Console) -> None:
    """Of the asset itself, then of everything above it that would be made first.

    Raises:
        WronglyCalled: for an asset that there is not; the message lists those that there are.
    """
    known = lineage.inputs(project.settings)
    if asset not in known:
        raise WronglyCalled(f"there is no asset '{asset}'; the assets are: {', '.join(known)}")
    above = [why(project, each) for each in lineage.upstream(project.settings, asset)]
    changed = [each for each in above if each.would != "be found"]
    _tell(why(project, asset), console, of="what lies here" if changed else None)
    if changed:
        console.print(f"\nAbove it, {len(changed)} of {len(above)} assets would be made first:")
        for each in changed:
            _tell(each, console)


def _tell(answer: Answer, console: Console, of: str | None = None) -> None:
    made_of = f", of {of}" if of else ""
    if answer.would == "be found":
        console.print(f"[bold]{answer.asset}[/] would not be made again{made_of}: version {answer.version} is here")
    elif answer.would == "be made":
        console.print(f"[bold]{answer.asset}[/] would be made{made_of}: it never was")
    elif answer.would == "not be made now":
        console.print(f"[bold]{answer.asset}[/] cannot be made now:")
    else:
        console.print(f"[bold]{answer.asset}[/] would be made again{made_of}; since version {answer.version}:")
    for change in answer.changes:
        console.print(f"  {escape(str(change))}", highlight=False)
    if answer.note:
        console.print(f"  {escape(answer.note)}", highlight=False)
