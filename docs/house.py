"""Draws the rooms of soraflow and who asks whom, from the imports in the code, into docs/architecture.md.

Run `python docs/house.py` after a room was added, or has come to import another one; a test compares the page with what
this draws.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

PAGE = Path(__file__).with_name("architecture.md")
ROOT = PAGE.parents[1]
PACKAGES = ("pipelines", "ops", "models")
BEGIN, END = "<!-- drawn by docs/house.py -->", "<!-- end of the drawing -->"

FOUNDATION = frozenset({"ops", "ops.config", "ops.runtime"})
"""What every room of `ops` and `pipelines` may ask; their arrows would hide the others."""
HOLDS = {
    "pipelines": "assets, checks, automation, command line",
    "ops": "steps and trainings by name, exit statuses",
    "ops.catalogue": "steps, scorers and columns of curation, each declared once",
    "ops.config": "the recipe, parsed once",
    "ops.runtime": "project, artifacts, tables, devices, workers, records",
    "ops.statistics": "intervals, and which of two models is better",
    "ops.weights": "weights by name, hash and licence",
    "ops.made_world": "drawn clips and the detector of their truth",
    "ops.curation": "from a folder to curated clips and images",
    "ops.data": "captions, training set, caches, DVC, exports",
    "ops.reports": "pages and pictures for people",
    "ops.training": "methods, the loop, checkpoints, launching",
    "ops.sampling": "from noise to a latent",
    "ops.generation": "a model from its parts, and videos of it",
    "ops.metrics": "one file a metric",
    "ops.evaluation": "samples, scores, protocols",
    "ops.release": "gate, registry, champion, trace, comparison",
    "models": "torch modules",
}

Arrows = dict[tuple[str, str], int]


def room_of(module: str) -> str:
    """`pipelines` and `models` are a room each; of `ops`, what lies directly in it is `ops` itself."""
    package, *below = module.split(".")
    if package != "ops" or not below:
        return package
    return f"ops.{below[0]}" if (ROOT / "ops" / below[0]).is_dir() else "ops"


def imported(tree: ast.AST) -> Iterator[str]:
    """Absolute names of modules, wherever in the file they are imported; that of a type checker alone counts, too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def files() -> dict[str, list[Path]]:
    """The Python files of each room."""
    found: dict[str, list[Path]] = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            found.setdefault(room_of(module), []).append(path)
    return found


def arrows() -> Arrows:
    """(room, room that it imports) → how many of its files do."""
    counted: Counter[tuple[str, str]] = Counter()
    for room, paths in files().items():
        for path in paths:
            names = imported(ast.parse(path.read_text(encoding="utf-8")))
            rooms = {room_of(name) for name in names if name.split(".")[0] in PACKAGES}
            counted.update((room, other) for other in rooms - {room})
    return dict(counted)


def shown(counted: Arrows) -> list[tuple[str, str]]:
    """The arrows that are drawn: none to what everybody asks, and none that follows from two or more others."""
    left = {pair for pair in counted if pair[1] not in FOUNDATION and pair[0] not in FOUNDATION}
    for pair in sorted(left):
        if _reaches(left - {pair}, *pair):
            left.remove(pair)
    return sorted(left)


def _reaches(pairs: set[tuple[str, str]], start: str, goal: str) -> bool:
    seen, waiting = {start}, [start]
    while waiting:
        room = waiting.pop()
        for _, other in sorted(pair for pair in pairs if pair[0] == room and pair[1] not in seen):
            seen.add(other)
            waiting.append(other)
    return goal in seen


def drawing() -> str:
    """The house in Mermaid's language.

    Raises:
        KeyError: a room is not in HOLDS yet.
    """
    rooms = [*files()]
    boxes = [f'    {_id(room)}["<b>{room}</b><br/>{HOLDS[room]}"]' for room in rooms]
    pairs = [f"    {_id(one)} --> {_id(other)}" for one, other in shown(arrows())]
    everybody = " & ".join(_id(room) for room in rooms if room in FOUNDATION)
    return "\n".join(
        [
            "```mermaid",
            "flowchart TD",
            *boxes,
            *pairs,
            f"    class {everybody.replace(' & ', ',')} base",
            "    classDef base stroke-dasharray: 4 3",
            "```",
        ]
    )


def _id(room: str) -> str:
    return room.replace(".", "_")


def page(text: str) -> str:
    """The page with its drawing drawn anew."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{drawing()}\n\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
