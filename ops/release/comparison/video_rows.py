"""The videos of the models, prompt by prompt, side by side on a page."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from ops.evaluation.checkpoint_scores import HELD_OUT
from ops.evaluation.scored_samples import ScoredVideo
from ops.metrics.registry import METRICS
from ops.release.comparison.comparison import letter, tag
from ops.release.comparison.scores import ScoreRow
from ops.release.comparison.subject import Subject
from ops.release.comparison.videos import VideoPlaces
from ops.reports.html_page import text


def video_section(
    subjects: Sequence[Subject], places: VideoPlaces, scores: Sequence[ScoreRow], metric: str | None
) -> Iterator[str]:
    """For each prompt and seed the videos of all models, which play together."""
    yield "<h2 id='videos'>Videos</h2>"
    missing = [f"{letter(number)} has no samples" for number, each in enumerate(subjects) if each.samples is None]
    if missing:
        yield f"<p>{text('; '.join(missing))}: only checkpoints that were scored have any (evaluation.checkpoints).</p>"
    yield from _other_protocols(subjects)
    rows = _by_prompt(subjects)
    if not rows:
        return
    names = [row.metric for row in scores if row.metric in METRICS and row.metric != HELD_OUT]
    yield _controls(names, metric, len(subjects) > 1)
    yield f"<div class='rows{'' if len(subjects) > 1 else ' single'}' id='rows'>"
    for order, ((prompt, seed), videos) in enumerate(rows.items()):
        yield _row(order, prompt, seed, videos, places, names, metric)
    yield "</div>"


def _other_protocols(subjects: Sequence[Subject]) -> Iterator[str]:
    first = subjects[0].samples
    for number, each in enumerate(subjects[1:], 1):
        if first and each.samples and each.samples.made != first.made:
            told = "; ".join(each.samples.made.differences(first.made))
            yield f"<p>{letter(number)} was sampled otherwise than {letter(0)}: {text(told)}.</p>"


def _by_prompt(subjects: Sequence[Subject]) -> dict[tuple[str, int], list[ScoredVideo | None]]:
    """(prompt, seed) → the video of each model, None where it has none."""
    found: dict[tuple[str, int], list[ScoredVideo | None]] = {}
    for number, each in enumerate(subjects):
        for video in each.videos:
            found.setdefault((video.prompt, video.seed), [None] * len(subjects))[number] = video
    return found


def _controls(names: Sequence[str], metric: str | None, several: bool) -> str:
    chosen = "".join(
        f"<option value='{text(name)}'{' selected' if name == metric else ''}>{text(name)}</option>" for name in names
    )
    orders = {"prompt": "as asked for"}
    orders |= (
        {"difference": "by difference", "better": "most gained first", "worse": "most lost first"}
        if several
        else {"best": "best first", "worst": "worst first"}
    )
    ways = "".join(f"<option value='{way}'>{words}</option>" for way, words in orders.items())
    by = f"<label>by <select id='metric'>{chosen}</select></label>" if names else ""
    return (
        "<div class='controls' role='toolbar' aria-label='Videos'>"
        "<button type='button' id='play' aria-pressed='true' aria-keyshortcuts='Space'>Pause</button>"
        "<label>speed <select id='speed'><option value='1'>1</option><option value='0.5'>½</option>"
        "<option value='0.25'>¼</option></select></label>"
        f"<label>order <select id='order'>{ways}</select></label>{by}"
        "<label>prompts with <input id='filter' type='search' size='12'></label>"
        "<output id='shown'></output></div>"
    )


def _row(
    order: int,
    prompt: str,
    seed: int,
    videos: Sequence[ScoredVideo | None],
    places: VideoPlaces,
    names: Sequence[str],
    metric: str | None,
) -> str:
    figures = "".join(
        _figure(number, video, places, metric, prompt, len(videos) > 1) for number, video in enumerate(videos)
    )
    gains = json.dumps(_gains(videos, names))
    differing = _differing(videos, names) if len(videos) > 1 else ""
    return (
        f"<section class='row' tabindex='0' data-order='{order}' data-gains='{text(gains)}' "
        f"aria-label='{text(prompt)}, seed {seed}'><h3><span>{text(prompt)} <small>seed {seed}</small></span>"
        "<button type='button' class='enlarge' aria-pressed='false'>Enlarge</button></h3>"
        f"<div class='side-by-side'>{figures}</div>{differing}</section>"
    )


def _figure(
    number: int, video: ScoredVideo | None, places: VideoPlaces, metric: str | None, prompt: str, several: bool
) -> str:
    label = tag(number) if several else ""
    if video is None:
        return f"<figure><div class='unseen'>not sampled</div><figcaption>{label}</figcaption></figure>"
    source = places.sources.get(video.sha256)
    about = f"{letter(number)}: {prompt}" if several else prompt
    shown = (
        f"<video muted playsinline preload='auto' aria-label='{text(about)}' src='{source}'></video>"
        if source
        else f"<div class='unseen'>gone: {text(video.path.name)}</div>"
    )
    values = {name: f"{value:.3g}" for name, value in video.values.items()}
    told = f"{text(metric)} {values[metric]}" if metric in values else ""
    return (
        f"<figure data-values='{text(json.dumps(values))}'>{shown}<figcaption>{label} "
        f"<span class='value'>{told}</span></figcaption></figure>"
    )


def _gains(videos: Sequence[ScoredVideo | None], names: Sequence[str]) -> dict[str, float]:
    """Metric → by how much the video of a later model is better than that of the first, of several the largest change;
    of a single model the value itself, so that better is more."""
    found = {}
    for name in names:
        sign = 1 if METRICS[name].higher_is_better else -1
        values = [video.values[name] if video and name in video.values else None for video in videos]
        first, *others = values
        if not others and first is not None:
            found[name] = sign * first
        gains = [sign * (value - first) for value in others if value is not None and first is not None]
        if gains:
            found[name] = max(gains, key=abs)
    return found


def _differing(videos: Sequence[ScoredVideo | None], names: Sequence[str]) -> str:
    """The metrics that do not say the same of all, each with its values."""
    told = []
    for name in names:
        values = [f"{video.values[name]:.3g}" if video and name in video.values else "none" for video in videos]
        if len(set(values)) > 1:
            told.append(f"{text(name)} {' → '.join(values)}")
    return f"<p class='differing'>{' · '.join(told)}</p>" if told else ""
