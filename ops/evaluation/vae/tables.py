"""Tables as the papers print them: our row, and the published ones, marked as quoted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ops.evaluation.vae.published import BLOCKWISE, PANDA, WEBVID, Quoted
from ops.evaluation.vae.score import VaeScores
from ops.statistics.bootstrap import Interval

NONE = "-"


def tables(scores: VaeScores) -> str:
    """In Markdown."""
    parts = [_reconstruction(scores), _blockwise(scores), _said(scores)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _reconstruction(scores: VaeScores) -> str:
    head = ["model", "T ↑", "Mem ↓", "PSNR ↑", "SSIM ↑", "LPIPS ↓", "rfvd_pairwise ↓", "rfvd ↓", "from"]
    speed = scores.speed
    ours = [
        scores.model,
        f"{speed.videos_per_second:.2f}" if speed else NONE,
        f"{speed.memory_gib:.2f}" if speed else NONE,
        *(_value(scores.metrics, name, digits) for name, digits in (("psnr", 2), ("ssim", 4), ("lpips", 4))),
        _value(scores.metrics, "rfvd_pairwise", 2),
        _value(scores.metrics, "rfvd", 2),
        f"measured here, {scores.clips} clips",
    ]
    rows = [
        ours,
        *(_quoted(row, "quoted: WebVid-10M") for row in WEBVID),
        *(_quoted(row, "quoted: Panda-70M") for row in PANDA),
    ]
    note = (
        "T: videos encoded in a second; Mem: GiB. The published ones are of 33 frames of 512x512 on an H100"
        + (f"; ours of {speed.frames} frames of {speed.side}x{speed.side} on {speed.device}" if speed else "")
        + ". What papers print as rFVD is `rfvd_pairwise`, of files that were coded with loss; ours are of frames."
    )
    return "\n".join(["## Reconstruction (Table 6)", "", _table(head, rows), "", note])


def _blockwise(scores: VaeScores) -> str:
    head = ["model", "PSNR at once", "PSNR in blocks", "LPIPS at once", "LPIPS in blocks", "from"]
    rows = []
    for row in BLOCKWISE:
        decibels, distances = zip(row.direct, row.blockwise, strict=True)
        cells = [*(f"{each:.2f}" for each in decibels), *(f"{each:.4f}" for each in distances)]
        rows.append([row.model, *cells, "quoted: Panda-70M"])
    ours = [scores.model]
    for name, digits in (("psnr", 2), ("lpips", 4)):
        ours += [_value(scores.metrics, name, digits), _value(scores.blockwise, name, digits)]
    lines = ["## Block by block (Table 7)", "", _table(head, [[*ours, "measured here"], *rows])]
    if scores.largest_difference is not None:
        lines += ["", f"Largest difference between both latents: {scores.largest_difference:.1e}."]
    if scores.blockwise_reason:
        lines += ["", f"Not measured in blocks: {scores.blockwise_reason}."]
    return "\n".join(lines)


def _said(scores: VaeScores) -> str:
    said = [
        *(f"- {name}: {text}" for name, text in (scores.unavailable | scores.cautions).items()),
        *([f"- T and Mem: {scores.speed_reason}"] if scores.speed_reason else []),
        *(f"- {name} {why}" for name, why in scores.problems.items()),
    ]
    return "\n".join(["## What must be said", "", *said]) if said else ""


def _quoted(row: Quoted, source: str) -> list[str]:
    return [
        row.model,
        f"{row.videos_per_second:.2f}" if row.videos_per_second else NONE,
        f"{row.memory_gib:.2f}" if row.memory_gib else NONE,
        f"{row.psnr:.2f}",
        f"{row.ssim:.4f}" if row.ssim else NONE,
        f"{row.lpips:.4f}",
        f"{row.rfvd_pairwise:.2f}",
        NONE,
        source,
    ]


def _value(metrics: Mapping[str, Interval], name: str, digits: int) -> str:
    return f"{metrics[name].mean:.{digits}f}" if name in metrics else NONE


def _table(head: list[str], rows: Iterable[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows))
