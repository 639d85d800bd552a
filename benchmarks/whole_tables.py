"""What each step over whole tables takes at 20 million clips: its peak of memory, and its time beside a plain copy of
the tables that it reads.

`python -m benchmarks.whole_tables` makes the tables up, as wide as real ones, runs each step in a process of its own
and writes its section of docs/benchmarks.md; `--clips N` takes another number.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import count, islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import yaml
from rich.console import Console

from benchmarks.fresh_project import fresh_project
from benchmarks.redecide import synthesised
from benchmarks.report import Report
from ops.config import DEFAULT_CUT, RULED_SCORES
from ops.curation.rules.decisions import VERDICT, decide, still_in
from ops.curation.steps.near_duplicates import COMPARED, without_duplicates
from ops.curation.tables import CLIPS as CLIPS_TABLE
from ops.curation.tables import CURATED_IMAGES, NEAR_DUPLICATES, RAW_IMAGES, RAW_VIDEOS
from ops.data.captions import captions
from ops.data.dataset_version import MADE_FROM, SETTINGS, folder_of, keep
from ops.data.expectations import validate
from ops.data.exports.annotations import export_annotations
from ops.data.exports.webdataset import SHARD_SAMPLES, Content
from ops.data.latents import INDEX
from ops.data.shard_index import ShardIndex
from ops.data.training_set import training_set
from ops.release.retraining import items_beyond
from ops.release.trace import held
from ops.reports.curation_report import curation_report
from ops.runtime import tables
from ops.runtime.files import write_json
from ops.runtime.project import Project
from ops.steps import STEPS as DATASET_STEPS

CLIPS, PART = 20_000_000, 500_000
HASHES = 4
FOLDER, VERSION, WRITTEN = "videos", "c0.dir", 10**18
"""Of the sources, of the training set, and when the files were last changed."""
AFTER_THE_DATASET = "curation report"
"""The first step that is not of the dataset."""
CLIPS_OF_SOURCE = 20
REPEATS = 0.02
"""Of the clips, that show what another one shows."""
CAPTION = "A man in a red coat walks along a wet street at night while cars pass, and the camera follows him. " * 2
RECIPE: dict[str, Any] = {
    "sources": {"videos": "videos", "images": None},
    "curation": {"aesthetics": {"scorer": "laion-v2"}, "rules": {"aesthetic": {"minimum": 4.75}}},
    "dataset": {"num_frames": 29, "min_frames": 29, "fps": 8, "windows_per_clip": 1},
}


class Measured(NamedTuple):
    """Seconds of a step and of copying the tables that it reads, and the most bytes that its process held."""

    step: str
    seconds: float
    copying: float
    peak: int


def deciding(project: Project) -> None:
    path = project.table("curated_clips")
    table = tables.read_columns(path, [*VERDICT, *RULED_SCORES])
    new = decide(table, project.settings.curation).select(VERDICT)
    tables.rewrite(path, path, new, NEAR_DUPLICATES)


def near_duplicates(project: Project) -> None:
    """Without the store of scores, from which the step reads the hashes."""
    path = project.table("curated_clips")
    table = tables.read_columns(path, [*COMPARED, *VERDICT])
    new = without_duplicates(table, project.settings.curation.near_duplicates)
    tables.rewrite(path, path, new.select([*VERDICT, "duplicate_of"]), NEAR_DUPLICATES)


def funnel_and_report(project: Project) -> None:
    curation_report(project, project.var / "report.html")


def annotations(project: Project) -> None:
    export_annotations(project, project.root / "annotations")


def shards_planned(project: Project) -> None:
    """What `export webdataset` does before it decodes the first sample, the index of samples included."""
    list(Content(project, keep(project, VERSION), DEFAULT_CUT).plan(SHARD_SAMPLES))


def what_a_release_saw(project: Project) -> None:
    held(keep(project, VERSION).samples)


def new_items(project: Project) -> None:
    samples = keep(project, VERSION).samples
    items_beyond(samples, samples)


def latents_opened(project: Project) -> None:
    """The index of shards, made and asked for a batch."""
    index = ShardIndex(project.artifacts / "latents" / "made" / "index.parquet", "sample_id")
    for name in islice(index, 1024):
        index[name]


def its_suite(project: Project) -> None:
    found = validate(project, "training_set")
    if not found.passed:
        raise RuntimeError(f"the made-up training set is not sound: {found.failures[0]}")


STEPS: dict[str, tuple[Callable[[Project], None], tuple[str, ...]]] = {
    "deciding": (deciding, ("curated_clips",)),
    "near-duplicates": (near_duplicates, ("curated_clips",)),
    "captions": (captions, ("curated_clips", "raw_videos")),
    "training set": (training_set, ("curated_clips", "captions")),
    "its suite": (its_suite, ("training_set",)),
    "curation report": (funnel_and_report, ("curated_clips",)),
    "export annotations": (annotations, ("curated_clips", "captions")),
    "export webdataset, planned": (shards_planned, ("training_set", "curated_clips")),
    "trace": (what_a_release_saw, ("training_set",)),
    "new items": (new_items, ("training_set",)),
    "index of latents": (latents_opened, ("training_set",)),
}
"""Step → what it does, and the tables that it reads."""


def measure(clips: int, say: Callable[[str], None]) -> tuple[int, list[Measured]]:
    """Bytes of the table of clips, and what each step took."""
    with fresh_project(RECIPE) as project:
        say("making the tables up")
        path = project.table("curated_clips")
        tables.write_parts(path, made_up(project, clips), NEAR_DUPLICATES)
        tables.write_parts(project.table("raw_videos"), sources(project, clips), RAW_VIDEOS)
        tables.write_parts(
            project.table("clips"), (part.select(CLIPS_TABLE.names) for part in tables.parts(path)), CLIPS_TABLE
        )
        for name, schema in (("raw_images", RAW_IMAGES), ("curated_images", CURATED_IMAGES)):
            tables.write(project.table(name), [], schema)
        found: list[Measured] = []
        copying: dict[str, float] = {}
        for step, (_, read) in STEPS.items():
            for table in read:
                if table not in copying:
                    copying[table] = _in_own_process(project, "copying", table).seconds
            if step == AFTER_THE_DATASET:
                lay_version(project)
            found.append(_in_own_process(project, step)._replace(copying=sum(copying[table] for table in read)))
            say(f"{found[-1]}")
        return path.stat().st_size, found


def made_up(project: Project, clips: int) -> Iterator[pa.Table]:
    """Rows of `curated_clips` with the hashes of what is still in; a few show what others show. They repeat after each
    part, but for ids, sources and hashes."""
    base = synthesised(project.settings.curation, min(PART, clips))
    for start in range(0, clips, PART):
        count, random = min(PART, clips - start), np.random.default_rng(start)
        table = base.slice(0, count)
        source = in_hex((start + np.arange(count)) // CLIPS_OF_SOURCE)
        columns = {"clip_id": in_hex(random.integers(0, 2**63, count)), "source_id": source}
        columns |= {"sha256": pc.binary_join_element_wise(*[source] * 4, ""), "path": with_suffix(source)}
        columns |= {"root": pa.array([FOLDER] * count)}
        hashes = random.integers(0, 2**63, (count, HASHES))
        hashes[random.integers(0, count, round(REPEATS * count))] = hashes[0]
        offsets = pa.array(np.arange(0, HASHES * count + 1, HASHES, dtype=np.int32))
        texts = pa.ListArray.from_arrays(offsets, in_hex(hashes.ravel()), mask=pa.array(~still_in(table)))
        columns |= {"perceptual_hash": texts}
        columns |= {name: pa.nulls(count, pa.string()) for name in ("near_duplicates_scorer", "duplicate_of")}
        yield pa.table({name: columns[name] if name in columns else table[name] for name in NEAR_DUPLICATES.names})


def in_hex(numbers: np.ndarray) -> pa.StringArray:
    """16 digits of each."""
    digits = numbers.astype(">u8").tobytes().hex().encode()
    ends = np.arange(0, len(digits) + 1, 16, dtype=np.int32)
    return pa.StringArray.from_buffers(len(numbers), pa.py_buffer(ends), pa.py_buffer(digits))


def with_suffix(names: pa.StringArray) -> pa.StringArray:
    return pc.binary_join_element_wise(names, ".mp4", "")


def lay_version(project: Project) -> None:
    """What lies in data/, as a version that was committed and is kept, and an index of its latents."""
    made_from = {name: name for name in ("raw_videos", "curated_clips", "curated_images", "captions")}
    stages = {name: {"cmd": name, "outs": [{"path": DATASET_STEPS[name].output, "md5": name}]} for name in made_from}
    (project.root / "dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": stages}), encoding="utf-8")
    folder = folder_of(project, VERSION)
    folder.mkdir(parents=True)
    samples = folder / "samples.parquet"
    samples.hardlink_to(project.data / "training_set" / "samples.parquet")
    write_json(folder / SETTINGS, {"dataset": project.settings.dataset.model_dump(mode="json")})
    write_json(folder / MADE_FROM, {**made_from, "training_set": VERSION})
    number = count()
    parts = (
        part.append_column(
            "shard", pa.array([f"shard_{next(number) // 64:06d}" for _ in range(len(part))])
        ).append_column("shape", pa.nulls(len(part), pa.list_(pa.int64())))
        for part in tables.parts(samples, ["sample_id", "kind", "split", "bucket"])
    )
    tables.write_parts(project.artifacts / "latents" / "made" / "index.parquet", parts, INDEX)


def sources(project: Project, clips: int) -> Iterator[pa.Table]:
    """Rows of `raw_videos`, and the files that they are of, which are empty."""
    (project.root / FOLDER).mkdir()
    count = -(-clips // CLIPS_OF_SOURCE)
    for start in range(0, count, tables.GROUP):
        names = [f"{number:016x}" for number in range(start, min(start + tables.GROUP, count))]
        for name in names:
            file = project.root / FOLDER / f"{name}.mp4"
            file.touch()
            os.utime(file, ns=(WRITTEN, WRITTEN))
        columns = {
            "source_id": names,
            "sha256": [4 * name for name in names],
            "root": [FOLDER] * len(names),
            "path": [f"{name}.mp4" for name in names],
            "bytes": [0] * len(names),
            "mtime_ns": [WRITTEN] * len(names),
            "seconds": [333.0] * len(names),
            "frames": [10_000] * len(names),
            "captions": [[f"{name} {CAPTION}"] for name in names],
        }
        whole = {name: columns.get(name, pa.nulls(len(names))) for name in RAW_VIDEOS.names}
        yield pa.table({name: pa.array(column) for name, column in whole.items()}).cast(RAW_VIDEOS)


def _in_own_process(project: Project, *what: str) -> Measured:
    argv = [sys.executable, "-m", "benchmarks.whole_tables", "--in", str(project.root), *what]
    done = subprocess.run(argv, check=True, stdout=subprocess.PIPE, encoding="utf-8")
    return Measured(*json.loads(done.stdout.splitlines()[-1]))


def _here(root: Path, what: str, *table: str) -> Measured:
    project = Project(root)
    started = time.perf_counter()
    if what == "copying":
        _copied(project, *table)
    else:
        STEPS[what][0](project)
    seconds = time.perf_counter() - started
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    peak = re.findall(r"^VmHWM:\s+(\d+) kB", status, flags=re.MULTILINE)
    return Measured(what, seconds, 0.0, 1024 * int(peak[0]))


def _copied(project: Project, name: str) -> None:
    """Read a table and write it, row group by row group, and do nothing else."""
    path = project.data / name / "samples.parquet" if name == "training_set" else project.table(name)
    schema = pq.read_schema(path)
    tables.rewrite(project.root / "copy.parquet", path, tables.read_columns(path, schema.names[:1]), schema)
    (project.root / "copy.parquet").unlink()


def report(clips: int, size: int, found: list[Measured]) -> Report:
    most, slowest = max(found, key=lambda each: each.peak), max(found, key=lambda each: each.seconds / each.copying)
    return Report(
        "Whole tables",
        f"No step over {clips:,} clips holds more than {most.peak / 2**30:.1f} GiB, and none takes more than "
        f"{slowest.seconds / slowest.copying:.1f} times a copy of the tables that it reads.",
        ("", "seconds", "over copying", "peak, GiB"),
        [
            (each.step, f"{each.seconds:,.0f}", f"{each.seconds / each.copying:.1f}", f"{each.peak / 2**30:.1f}")
            for each in found
        ],
        (
            f"A made-up table `curated_clips` of all its columns, {size / 1e9:.1f} GB, about half of it kept; captions "
            "of 200 characters that came with the files; one window of 29 frames a clip.",
            "Copying reads a table and writes it, row group by row group, in one process as the steps do. The peak is "
            "the largest resident size of the step's process.",
            "Near-duplicates begin where the hashes have been read from the store of scores. They are bound by sorting "
            "all hashes once for each choice of bands.",
        ),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=CLIPS, help=f"clips of the table; {CLIPS:,} by default")
    parser.add_argument("--in", dest="inside", nargs="+", help=argparse.SUPPRESS)
    asked, console = parser.parse_args(), Console()
    if asked.inside:
        root, *what = asked.inside
        print(json.dumps(_here(Path(root), *what)))
        return
    size, found = measure(asked.clips, console.log)
    result = report(asked.clips, size, found)
    result.show(console)
    if asked.clips == CLIPS:
        result.write()


if __name__ == "__main__":
    main()
