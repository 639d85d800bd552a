"""A step of a training that went wrong, as one HTML file with its pictures inside: figures, curves, and the samples."""

from __future__ import annotations

import io
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from ops.data.columns import SAMPLE_SCORES, Sample
from ops.data.pixels import UnreadableSource, read_sample
from ops.reports.html_page import html_page, image, text
from ops.runtime.frame_grid import SHORTEST_SIDE, legible, strip
from ops.runtime.project import Project

FRAMES = 4
"""That are shown of a sample."""
MOST_READ = 24
"""Samples whose frames are shown: reading them holds the training up. Of the others the page has the words."""
QUALITY = 85
BEGIN, END = "<!-- curves -->", "<!-- end of the curves -->"

Figures = Mapping[str, float | str]


@dataclass(frozen=True)
class Shown:
    """Samples that were computed together, by whom, and what came of it."""

    who: str
    figures: Figures
    samples: Sequence[Sample]


def incident_page(
    project: Project, step: int, reason: str, figures: Figures, suspects: Sequence[Shown], curves: bytes
) -> str:
    """`curves` is a PNG. A sample whose source cannot be read is shown with the reason why not."""
    title = f"Step {step}"
    parts = [f"<h1>{title}</h1>", f"<p>{text(reason)}</p>", _curves(curves), "<h2>Figures of the step</h2>"]
    parts += [_table(figures), *_samples(project, step, suspects)]
    return html_page(title, parts)


def with_curves(page: str, curves: bytes) -> str:
    """The page with another picture of the curves."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{_curves(curves)}{after}"


def exclusion(step: int, suspects: Sequence[Shown]) -> str:
    """The command that takes the clips and images of these samples out of the dataset."""
    items = dict.fromkeys(sample["item_id"] for each in suspects for sample in each.samples)
    return shlex.join(["soraflow", "curate", "exclude", *items, "--because", f"in an incident at step {step}"])


def _curves(picture: bytes) -> str:
    return f"{BEGIN}\n<div class='drawn'>{image(picture, 'png', 'curves around the step')}</div>\n{END}"


def _table(figures: Figures) -> str:
    rows = (f"<tr><th>{text(name)}</th><td>{text(_number(value))}</td></tr>" for name, value in figures.items())
    return f"<table>{''.join(rows)}</table>"


def _samples(project: Project, step: int, suspects: Sequence[Shown]) -> Iterator[str]:
    if not suspects:
        return
    yield "<h2>What to do about the samples</h2>"
    yield (
        "<p>This writes them into params.yaml, and the next run makes a version of the dataset without them. Leave out "
        "the ids of those that look sound:</p>"
    )
    yield f"<pre>{text(exclusion(step, suspects))}</pre>"
    left = MOST_READ
    for each in suspects:
        told = ", ".join(f"{name} {_number(value)}" for name, value in each.figures.items())
        yield f"<h2>Samples of {text(each.who)}</h2>\n<p>{text(told)}</p>\n<div class='sheet'>"
        for sample in each.samples:
            yield _sample(project, sample, read=left > 0)
            left -= 1
        yield "</div>"


def _sample(project: Project, sample: Sample, read: bool) -> str:
    told = [f"<b>{text(sample['path'])}</b>", text(sample["caption"]), *map(text, _scores(sample))]
    told += [f"in {text(sample['root'])}", f"{text(sample['kind'])} {text(sample['item_id'])}"]
    told.append(f"sample {text(sample['sample_id'])} in {text(sample['bucket'])}")
    shown = _frames(project, sample) if read else "<div class='unseen'>not read: there are too many</div>"
    return f"<figure>{shown}<figcaption>{' · '.join(told)}</figcaption></figure>"


def _frames(project: Project, sample: Sample) -> str:
    """A few of its frames side by side, as training sees them."""
    places = np.linspace(0, sample["frames"] - 1, min(FRAMES, sample["frames"])).round().astype(int)
    wanted: Sample = {**sample, "frame_indices": [sample["frame_indices"][place] for place in places]}
    try:
        frames = strip(read_sample(project, wanted), FRAMES)
    except UnreadableSource as error:
        return f"<div class='unseen'>cannot be shown: {text(str(error))}</div>"
    written = io.BytesIO()
    Image.fromarray(legible(frames, SHORTEST_SIDE)).save(written, format="JPEG", quality=QUALITY)
    return image(written.getvalue(), "jpeg", f"frames of {sample['path']}")


def _scores(sample: Sample) -> Iterator[str]:
    known: Mapping[str, object] = sample
    for score, scorer in SAMPLE_SCORES.items():
        value = known[score]
        if isinstance(value, float):
            yield f"{score} {value:.4g} ({known[scorer]})"


def _number(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.5g}"
