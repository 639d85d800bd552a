"""The page of a comparison, and of a single model: one HTML file, the videos first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from importlib.resources import files
from pathlib import Path

from ops.metrics.registry import METRICS
from ops.release.comparison.comparison import Comparison, tag
from ops.release.comparison.curve_section import curve_section
from ops.release.comparison.difference_sections import code_section, dataset_section, setting_section
from ops.release.comparison.scores import Cell, ScoreRow
from ops.release.comparison.subject import Subject
from ops.release.comparison.video_rows import video_section
from ops.release.comparison.videos import VideoPlaces, place_videos
from ops.reports.html_page import html_page, text
from ops.runtime.files import replacing


def write_comparison(found: Comparison, path: Path) -> VideoPlaces:
    """Write the page; returns where its videos are."""
    subjects = found.subjects
    title = " against ".join(each.label for each in reversed(subjects))
    places = place_videos(subjects, path)
    parts = [
        f"<h1>{text(title)}</h1>",
        *facts(subjects),
        *verdict_section(found.verdicts()),
        *video_section(subjects, places, found.scores, found.metric),
        *score_section(found.scores, len(subjects)),
        *setting_section(found),
        *(dataset_section(change, number) for number, change in enumerate(found.datasets, 1)),
        *(code_section(change, number) for number, change in enumerate(found.code, 1)),
        *curve_section(subjects),
    ]
    write_page(path, title, parts)
    return places


def write_page(path: Path, title: str, parts: Iterable[str]) -> None:
    """A page with the style and the script of comparisons."""
    web = files("ops.release.comparison").joinpath("web")
    style, script = (web.joinpath(name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    with replacing(path) as temporary:
        temporary.write_text(html_page(title, parts, style, script), encoding="utf-8")


def facts(subjects: Sequence[Subject]) -> Iterator[str]:
    """A card of each model: what it is, and where it comes from."""
    yield "<div class='subjects'>"
    for number, each in enumerate(subjects):
        told = [
            f"{each.parts.denoiser_asset}, step {each.parts.step:,} of {each.denoiser.results.steps:,}",
            f"data <code>{text(each.dataset[:10])}</code>",
            f"code <code>{text((each.commit or 'unknown')[:10])}</code>",
            f"MLflow run <code>{text(each.run)}</code>",
        ]
        aliases = f" ({', '.join(each.version.aliases)})" if each.version and each.version.aliases else ""
        letter_of = f"{tag(number)} " if len(subjects) > 1 else ""
        name = f"{letter_of}<strong>{text(each.label + aliases)}</strong>"
        yield f"<p class='subject'>{name}<br>{' · '.join(told)}</p>"
    yield "</div>"


def verdict_section(told: Sequence[tuple[str, str]]) -> Iterator[str]:
    """What is told about, and a sentence, each in a box."""
    if told:
        yield "<dl class='verdicts'>"
        for about, sentence in told:
            yield f"<div><dt>{text(about)}</dt><dd>{text(sentence)}</dd></div>"
        yield "</dl>"


def score_section(scores: Sequence[ScoreRow], models: int) -> Iterator[str]:
    """Every score of each model, and its difference to that of the first."""
    yield "<h2 id='scores'>Scores</h2>"
    difference = "A difference is to A, over the prompts of both, and above 0 where the model is better. "
    yield (
        f"<p>With 95 % intervals. {difference if models > 1 else ''}A metric that something broken wins is shown and "
        "settles nothing.</p>"
    )
    few = " few" if models <= 2 else ""  # as many as fit on a narrow screen
    heads = "".join(f"<th>{tag(number) if models > 1 else 'score'}</th>" for number in range(models))
    yield f"<div class='wide'><table class='scores{few}'><tr><th>metric</th>{heads}</tr>"
    for row in scores:
        better = "higher" if row.higher_is_better else "lower"
        known = METRICS.get(row.metric)
        won_by = f"; won by {known.fooled_by}" if known and known.fooled_by else ""
        name = f"<td>{text(row.metric)}<br><small>{better} is better{text(won_by)}</small></td>"
        cells = "".join(f"<td>{score_cell(cell, settles=not won_by)}</td>" for cell in row.cells)
        yield f"<tr>{name}{cells}</tr>"
    yield "</table></div>"


def score_cell(cell: Cell, settles: bool) -> str:
    """A score with its difference, which has a colour where the metric settles anything."""
    if cell.value is None:
        return f"<small>{text(cell.reason or '')}</small>"
    told = [f"<strong>{cell.value:.4g}</strong>"]
    if cell.interval:
        told.append(
            f" <small>[{cell.interval.low:.3g}, {cell.interval.high:.3g}], {cell.interval.count} videos</small>"
        )
    if found := cell.difference:
        colour = {"better": "good", "worse": "bad"}.get(found.word, "") if settles else ""
        told.append(f"<br><small class='{colour}'>{text(f'{found.figures}: {found.verdict}')}</small>")
    if cell.note:
        told.append(f"<br><small>{text(cell.note)}</small>")
    return "".join(told)
