"""Steps that went wrong, written down with the samples that were in them: as JSON, and as a page for a person."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ops.data.columns import Sample
from ops.reports.incident_page import Shown, incident_page, with_curves
from ops.runtime.files import Document, read_json, replacing, write_json
from ops.runtime.project import Project
from ops.training.data.data_share import DataShare
from ops.training.recording.gradient_curves import around

FOLDER = "incidents"


@dataclass(frozen=True)
class Suspect:
    """What one rank, or a group of ranks that compute the same samples together, had to do with it."""

    ranks: str
    """`rank 3`, or `ranks 4 to 7`."""
    figures: Mapping[str, float]
    """Its own, where those of the incident are of all."""
    sample_ids: tuple[str, ...]


@dataclass(frozen=True)
class Incident:
    step: int
    reason: str
    figures: Mapping[str, float]
    sample_ids: Sequence[str]
    """Of the global batch, in its order."""
    suspects: tuple[Suspect, ...] = ()
    """Those to be looked at first."""


def suspects(
    share: DataShare, sample_ids: Sequence[str], ranks: Mapping[str, Sequence[float]], parts: Iterable[int]
) -> tuple[Suspect, ...]:
    """Of some parts of a global batch, in the order in which they are given. `ranks` holds figures of every rank."""
    together = len(next(iter(ranks.values()))) // share.parts
    return tuple(_suspect(share, sample_ids, ranks, part, together) for part in parts)


def _suspect(
    share: DataShare, sample_ids: Sequence[str], ranks: Mapping[str, Sequence[float]], part: int, together: int
) -> Suspect:
    first, last = part * together, (part + 1) * together - 1
    name = f"rank {first}" if first == last else f"ranks {first} to {last}"
    figures = {key: values[first] for key, values in ranks.items()}
    return Suspect(name, figures, tuple(sample_ids[place] for place in share.positions_of(part)))


def incident_file(folder: Path, step: int) -> Path:
    return folder / FOLDER / f"step_{step:06d}.json"


def page_of(path: Path) -> Path:
    """The page beside an incident's file."""
    return path.with_suffix(".html")


def write_incident(
    folder: Path,
    incident: Incident,
    samples: Mapping[str, Sample],
    project: Project,
    lines: Sequence[Mapping[str, float]],
) -> Path:
    """Write both; `lines` are those of the loss curve up to the step before. Returns the page.

    The page shows the samples of the suspects; frames are read from the source files, the first few.
    """
    path = incident_file(folder, incident.step)
    write_json(path, _as_json(incident))
    drawn = around([*lines, {"step": incident.step, **incident.figures}], incident.step)
    shown = [Shown(each.ranks, _printable(each.figures), _rows(each.sample_ids, samples)) for each in incident.suspects]
    with replacing(page_of(path)) as temporary:
        text = incident_page(project, incident.step, incident.reason, _printable(incident.figures), shown, drawn)
        temporary.write_text(text, encoding="utf-8")
    return page_of(path)


def _rows(sample_ids: Sequence[str], samples: Mapping[str, Sample]) -> list[Sample]:
    return [samples[name] for name in dict.fromkeys(sample_ids)]


def _as_json(incident: Incident) -> dict[str, object]:
    blamed = [
        {"ranks": each.ranks, "figures": _printable(each.figures), "sample_ids": list(each.sample_ids)}
        for each in incident.suspects
    ]
    return {
        "step": incident.step,
        "reason": incident.reason,
        "figures": _printable(incident.figures),
        "sample_ids": list(incident.sample_ids),
        "suspects": blamed,
    }


def _printable(figures: Mapping[str, float]) -> dict[str, float | str]:
    """JSON has no number for what is not finite."""
    return {name: value if math.isfinite(value) else str(value) for name, value in figures.items()}


def incidents(folder: Path) -> Iterator[tuple[Path, Document]]:
    """The file of each incident of a training with its content, in the order of steps."""
    for path in sorted((folder / FOLDER).glob("step_*.json")):
        content = read_json(path)
        if "reason" in content:  # or else it is about samples that were left out
            yield path, content


def forget_after(folder: Path, step: int) -> None:
    """Remove the incidents of steps that are to be made once more."""
    for path, content in list(incidents(folder)):
        if content["step"] > step:
            path.unlink()
            page_of(path).unlink(missing_ok=True)


def complete_pages(folder: Path, lines: Sequence[Mapping[str, float]]) -> Iterator[Path]:
    """Draw into each page what came after its step, now that it has happened; each page when it is done."""
    for path, content in incidents(folder):
        page = page_of(path)
        if page.is_file():
            text = with_curves(page.read_text(encoding="utf-8"), around(lines, content["step"]))
            with replacing(page) as temporary:
                temporary.write_text(text, encoding="utf-8")
            yield page


def left_out_file(folder: Path, step: int) -> Path:
    return folder / FOLDER / f"step_{step:06d}_left_out.json"


def write_left_out(folder: Path, step: int, samples: Mapping[str, Mapping[str, object]]) -> None:
    """The samples that were left out at a step, each with reason and source."""
    write_json(
        left_out_file(folder, step), {"step": step, "left_out": {name: dict(each) for name, each in samples.items()}}
    )
