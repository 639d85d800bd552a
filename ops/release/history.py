"""The champions so far: when each took its place, its score then, and the version of the dataset behind it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from ops.release.registry import Registry, Version
from ops.reports.figures import GREY, INK, KEPT, figure, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SINCE = "champion.since"
"""The tag of a version with the moments, as a JSON list of UTC times, at which it became champion."""
CHAMPIONS = "champions.png"


@dataclass(frozen=True)
class Reign:
    """A version that became champion: `value` is its score, None where it has none, under the protocol of that id."""

    since: datetime
    version: int
    dataset: str
    value: float | None
    protocol: str | None


def remember_reign(registry: Registry, version: Version) -> None:
    """Write into the registry that a version is champion from now on."""
    since = [*_since(registry.version(version.number)), datetime.now(UTC).isoformat(timespec="seconds")]
    registry.tag(version, {SINCE: json.dumps(since)})


def reigns(registry: Registry, metric: str) -> list[Reign]:
    """Every time that a version became champion, oldest first, with its score by one metric."""
    crowned = [(moment, version) for version in registry.versions() for moment in _moments(version)]
    found = [_reign(moment, version, metric) for moment, version in crowned]
    return sorted(found, key=lambda reign: (reign.since, reign.version))


def draw_champions(champions: Sequence[Reign], metric: str, path: Path) -> None:
    """Write a PNG of the scores over time, a point for each champion with its version and dataset; scores of different
    protocols are not joined. None who has a score gives no picture."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num

    shown = [reign for reign in champions if reign.value is not None]
    if not shown:
        return
    drawn = figure(8, 3.2, f"Champions by {metric}")
    axes = drawn.subplots()
    for protocol in dict.fromkeys(reign.protocol for reign in shown):
        _draw(axes, [reign for reign in shown if reign.protocol == protocol])
    axes.grid(color=GREY, alpha=0.3, linewidth=0.5)
    axes.spines[["top", "right"]].set_visible(False)
    axes.margins(y=0.3)
    first, last = shown[0].since, shown[-1].since
    room = max(timedelta(hours=12), (last - first) / 8)
    axes.set_xlim(date2num(first - room), date2num(last + room))
    axes.xaxis.set_major_locator(AutoDateLocator(minticks=2, maxticks=7))
    axes.xaxis.set_major_formatter(ConciseDateFormatter(axes.xaxis.get_major_locator()))
    save(drawn, path)


def _reign(since: datetime, version: Version, metric: str) -> Reign:
    score = version.scores.get(metric)
    value, protocol = (score.value, score.protocol.id) if score else (None, None)
    return Reign(since, version.number, version.tags.get("training_set", "unknown"), value, protocol)


def _draw(axes: Axes, reigns: Sequence[Reign]) -> None:
    from matplotlib.dates import date2num

    days = [float(date2num(reign.since)) for reign in reigns]
    values = [reign.value or 0.0 for reign in reigns]
    axes.plot(days, values, color=KEPT, linewidth=1.2, marker="o", drawstyle="steps-post")
    axes.xaxis_date()
    for reign, day, value in zip(reigns, days, values, strict=True):
        words = f"version {reign.version}\ndata {reign.dataset[:7]}"
        axes.annotate(words, (day, value), (0, 7), textcoords="offset points", ha="center", color=INK, fontsize=8)


def _moments(version: Version) -> list[datetime]:
    """When it became champion. Of one that did before this was written down, when it was registered, if the gate had
    let it pass."""
    if since := _since(version):
        return [datetime.fromisoformat(each) for each in since]
    passed = version.tags.get("gate") == "passed" or "accepted" in version.tags
    return [datetime.fromtimestamp(version.created_at / 1000, UTC)] if passed else []


def _since(version: Version) -> list[str]:
    found: list[str] = json.loads(version.tags.get(SINCE, "[]"))
    return found
