"""The scores of a VAE on clips, one row a clip: at once and block by block, with what cannot be measured as a row."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ops.evaluation import protocols
from ops.evaluation.kept_values import KeptValues
from ops.evaluation.reconstruction import unavailable
from ops.evaluation.vae.clips import Clip, UnfitClip
from ops.evaluation.vae.passes import direct_chunk, through
from ops.evaluation.vae.speed import Speed
from ops.metrics.base import Measure, Value, Video, VideoMetric
from ops.metrics.registry import of_reconstructions
from ops.metrics.rfvd import Rfvd, caution
from ops.runtime.files import digest, sha256, write_json
from ops.runtime.project import Project
from ops.statistics.bootstrap import Interval

if TYPE_CHECKING:
    from models.video_vae import VideoVAE

PROTOCOL = protocols.RECONSTRUCTION
KEPT_FOLDER = "measured"
BLOCKWISE_METRICS = ("psnr", "ssim", "lpips")


class NothingToScore(ValueError):
    """None of the clips could be scored; the message has the first reason."""


@dataclass
class VaeScores:
    """Of one VAE on a set of clips."""

    model: str
    metrics: dict[str, Interval] = field(default_factory=dict)
    blockwise: dict[str, Interval] = field(default_factory=dict)
    """The same, block by block."""
    blockwise_reason: str | None = None
    largest_difference: float | None = None
    """Between the latents of both, over all clips."""
    unavailable: dict[str, str] = field(default_factory=dict)
    cautions: dict[str, str] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    """Clip → why it was not scored; listed, never replaced."""
    speed: Speed | None = None
    speed_reason: str | None = None
    clips: int = 0
    terms: dict[str, object] = field(default_factory=dict)
    """What the scores depend on besides the VAE."""


def vae_hash(folder: Path) -> str:
    """Of the files of a VAE in its released form."""
    return digest([[path.name, sha256(path)] for path in sorted(folder.iterdir()) if path.is_file()])


def score_vae(
    project: Project,
    model: VideoVAE,
    folder: Path,
    clips: Sequence[Clip],
    to: Path,
    terms: Mapping[str, object],
    block_frames: int | None = 8,
    told: Callable[[int, int], None] = lambda done, total: None,
) -> VaeScores:
    """`model` is the VAE that lies in `folder`, `terms` says how the clips were cut, and `block_frames`, a multiple of
    4, is how many frames a block has; None leaves blocks out. What is measured is kept in `to` by content.

    Raises:
        NothingToScore: no clip could be scored.
    """
    found = VaeScores(model=folder.name, unavailable=unavailable(project), terms={**terms, "protocol": PROTOCOL})
    measures = {metric: metric.start(project) for metric in protocols.measurable(project)}
    weights = [[metric.name, metric.version, metric.hashes(project)] for metric in measures]
    key = digest([vae_hash(folder), dict(terms), weights])
    values: dict[str, list[Value]] = {}
    block_values: dict[str, list[Value]] = {}
    for number, clip in enumerate(clips):
        kept = KeptValues(to / KEPT_FOLDER, clip.content)
        try:
            _measure(model, clip, measures, kept, key, block_frames, found, values, block_values)
            found.clips += 1
        except UnfitClip as error:
            found.problems[clip.name] = f"{error}"
        told(number + 1, len(clips))
    if not found.clips:
        raise NothingToScore(f"none of {len(clips)} clips could be scored: {next(iter(found.problems.items()))}")
    found.metrics, found.blockwise = _over(values), _over(block_values)
    if Rfvd.name in found.metrics and (text := caution(found.metrics[Rfvd.name].count)):
        found.cautions[Rfvd.name] = text
    return found


def _measure(
    model: VideoVAE,
    clip: Clip,
    measures: Mapping[VideoMetric, Measure],
    kept: KeptValues,
    key: str,
    block_frames: int | None,
    found: VaeScores,
    values: dict[str, list[Value]],
    block_values: dict[str, list[Value]],
) -> None:
    """Add what one clip has of values, at once and block by block."""
    names = {metric.name: metric for metric in measures}
    in_blocks = [name for name in BLOCKWISE_METRICS if name in names] if block_frames else []
    keys = {name: f"{key} {name}" for name in names}
    keys |= {f"block {name}": f"{key} {block_frames} {name}" for name in in_blocks}
    known = {name: kept.get(each) for name, each in keys.items()}
    apart = kept.get(f"{key} {block_frames} apart") if in_blocks else None
    if any(value is None for value in known.values()):
        frames = clip.read()
        direct = through(model, frames, direct_chunk(model, len(frames)))
        video = Video(direct.back, reference=frames)
        known |= {name: metric.value(measures[metric], video) for name, metric in names.items()}
        if in_blocks and block_frames and found.blockwise_reason is None:
            try:
                blocks = through(model, frames, block_frames)
            except ValueError as error:
                found.blockwise_reason = f"{error}"
            else:
                other = Video(blocks.back, reference=frames)
                known |= {f"block {name}": names[name].value(measures[names[name]], other) for name in in_blocks}
                apart = Value(float((blocks.latent - direct.latent).abs().max()))
                kept.put(f"{key} {block_frames} apart", apart)
        for name, value in known.items():
            if value is not None:
                kept.put(keys[name], value)
    if apart is not None and apart.value is not None:
        found.largest_difference = max(found.largest_difference or 0.0, apart.value)
    for name, value in known.items():
        if value is not None and (value.value is not None or value.terms):
            block = name.startswith("block ")
            (block_values if block else values).setdefault(name.removeprefix("block "), []).append(value)


def _over(values: Mapping[str, list[Value]]) -> dict[str, Interval]:
    return {metric.name: metric.over(values[metric.name]) for metric in of_reconstructions() if metric.name in values}


def write(to: Path, name: str, scores: VaeScores, tables: str) -> Path:
    """`NAME_vae.json` with everything, `NAME_vae.md` with the tables. Returns the latter."""
    proofs = {metric.name: metric.proof for metric in of_reconstructions()}
    to.mkdir(parents=True, exist_ok=True)
    write_json(to / f"{name}_vae.json", {**asdict(scores), "proofs": proofs})
    path = to / f"{name}_vae.md"
    path.write_text(tables, encoding="utf-8")
    return path
