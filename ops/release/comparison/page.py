"""The page of a comparison, and of a single model: one HTML file, the videos first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from importlib.resources import files
from pathlib import Path

from ops.release.comparison.comparison import Comparison, in_words, tag
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
        *_verdicts(found),
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
        name = f"{tag(number)} <strong>{text(each.label + aliases)}</strong>"
        yield f"<p class='subject'>{name}<br>{' · '.join(told)}</p>"
    yield "</div>"


def _verdicts(found: Comparison) -> Iterator[str]:
    if told := found.verdicts():
        yield "<dl class='verdicts'>"
        for about, sentence in told:
            yield f"<div><dt>{text(about)}</dt><dd>{text(sentence)}</dd></div>"
        yield "</dl>"


def score_section(scores: Sequence[ScoreRow], models: int) -> Iterator[str]:
    """Every score of each model, and its difference to that of the first."""
    yield "<h2 id='scores'>Scores</h2>"
    yield (
        "<p>With 95 % intervals. A difference is to A, over the prompts of both, and above 0 where the model is "
        "better. A metric that something broken wins is shown and settles nothing.</p>"
    )
    heads = "".join(f"<th>{tag(number)}</th>" for number in range(models))
    yield f"<div class='wide'><table class='scores'><tr><th>metric</th>{heads}</tr>"
    for row in scores:
        better = "higher" if row.higher_is_better else "lower"
        name = f"<td>{text(in_words(row.metric))}<br><small>{better} is better</small></td>"
        yield f"<tr>{name}{''.join(f'<td>{score_cell(cell)}</td>' for cell in row.cells)}</tr>"
    yield "</table></div>"


def score_cell(cell: Cell) -> str:
    if cell.value is None:
        return f"<small>{text(cell.reason or '')}</small>"
    told = [f"<strong>{cell.value:.4g}</strong>"]
    if cell.interval:
        told.append(
            f" <small>[{cell.interval.low:.3g}, {cell.interval.high:.3g}], {cell.interval.count} videos</small>"
        )
    if found := cell.difference:
        colour = {"better": "good", "worse": "bad"}.get(found.word, "")
        figures = f"{found.mean:+.3g} [{found.low:+.3g}, {found.high:+.3g}]"
        told.append(f"<br><small class='{colour}'>{figures}: {text(found.verdict)}</small>")
    if cell.note:
        told.append(f"<br><small>{text(cell.note)}</small>")
    return "".join(told)
