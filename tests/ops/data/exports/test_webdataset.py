import hashlib
import io
import json
import tarfile
from collections import Counter
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import yaml
from PIL import Image

from ops.curation import tables as schemas
from ops.data.captions import SCHEMA
from ops.data.columns import Sample
from ops.data.dataset_version import MADE_FROM, SETTINGS, LostVersion, folder_of, keep
from ops.data.dvc import version
from ops.data.dvc_repository import open_repository
from ops.data.exports.manifest import ExportError
from ops.data.exports.webdataset import export_webdataset
from ops.data.pixels import read_sample
from ops.data.samples import SAMPLES, training_samples
from ops.runtime import tables
from ops.runtime.files import write_json
from ops.runtime.project import Project
from ops.steps import STEPS

BARE = (0, 0, 0, "", "", 0o644)
"""Time, owner and group of a member, their names, and its permissions."""


def read_shard(path: Path) -> dict[str, dict[str, bytes]]:
    """Key → extension → content, as WebDataset groups members: by what comes before the first dot."""
    samples: dict[str, dict[str, bytes]] = {}
    with tarfile.open(path) as tar:
        for member in tar:
            assert (member.mtime, member.uid, member.gid, member.uname, member.gname, member.mode) == BARE
            key, _, extension = member.name.partition(".")
            file = tar.extractfile(member)
            assert file is not None
            samples.setdefault(key, {})[extension] = file.read()
    return samples


def read_all(folder: Path) -> dict[str, tuple[str, dict[str, bytes]]]:
    """Key → (shard, members)."""
    shards = {path.relative_to(folder).as_posix(): read_shard(path) for path in sorted(folder.rglob("*.tar"))}
    return {key: (name, members) for name, samples in shards.items() for key, members in samples.items()}


def film(content: bytes) -> tuple[np.ndarray, float]:
    with av.open(io.BytesIO(content)) as container:
        rate = float(container.streams.video[0].average_rate)
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]), rate


def state(folder: Path) -> dict[Path, tuple[bytes, int]]:
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.rglob("*") if path.is_file()}


def contents(folder: Path) -> dict[Path, bytes]:
    return {path.relative_to(folder): content for path, (content, _) in state(folder).items()}


def change_captions(project: Project, old: str, new: str) -> None:
    """In the training set and the table that it is made from."""
    path = project.data / "training_set" / "samples.parquet"
    for table, schema in ((path, SAMPLES), (project.table("captions"), SCHEMA)):
        rows = tables.read(table)
        tables.write(table, [{**row, "caption": row["caption"].replace(old, new)} for row in rows], schema)


def test_every_sample_comes_back_with_the_pixels_that_training_sees(dataset: Project, tmp_path: Path):
    made = export_webdataset(dataset, tmp_path / "out")
    samples = training_samples(dataset)
    found = read_all(tmp_path / "out")
    assert sorted(found) == sorted(sample["sample_id"] for sample in samples)
    assert made.items == len(samples)
    for sample in samples:
        shard, members = found[sample["sample_id"]]
        assert shard == f"{sample['split']}/{sample['kind']}-{sample['bucket']}-00000.tar"
        assert members["txt"].decode() == sample["caption"]
        expected = read_sample(dataset, sample)
        if sample["kind"] == "image":
            assert members.keys() == {"png", "txt", "json"}
            assert np.array_equal(np.asarray(Image.open(io.BytesIO(members["png"]))), expected[0])
        else:
            assert members.keys() == {"mp4", "txt", "json"}
            frames, rate = film(members["mp4"])
            assert frames.shape == expected.shape == (sample["frames"], sample["height"], sample["width"], 3)
            assert rate == 8
            assert np.abs(frames.astype(float) - expected).mean() < 4  # H.264 with halved colour


def test_each_sample_says_where_it_comes_from_and_how_it_scored(dataset: Project, tmp_path: Path):
    export_webdataset(dataset, tmp_path / "out")
    found = read_all(tmp_path / "out")
    clips = {row["clip_id"]: row for row in tables.read(dataset.table("curated_clips"))}
    for sample in training_samples(dataset, kinds=("video",)):
        about = json.loads(found[sample["sample_id"]][1]["json"])
        kept: Any = sample
        same = ("item_id", "kind", "split", "bucket", "frames", "height", "width", "frame_indices", "crop")
        assert {name: about[name] for name in same} == {name: kept[name] for name in same}
        assert about["source"] == {name: kept[name] for name in ("source_id", "root", "path", "sha256", "licence")}
        assert about["source"]["licence"] == "CC0-1.0"
        assert about["scores"]["aesthetic"] == {
            "value": clips[sample["item_id"]]["aesthetic"],
            "scorer": {"scorer": "colourfulness", "version": "1", "settings": {}},
        }
        assert "central_text" not in about["scores"]  # was not measured
        assert about["captioner"]["name"] == "sidecar"
    (image, *_) = training_samples(dataset, kinds=("image",))
    about = json.loads(found[image["sample_id"]][1]["json"])
    assert about["fps"] is None
    assert about["scores"]["technical"]["value"] in (4.0, 5.0, 6.0)


def test_the_manifest_has_hashes_versions_and_counts(dataset: Project, tmp_path: Path):
    export_webdataset(dataset, tmp_path / "out")
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["complete"] is True
    assert manifest["dataset"] == {"training_set": "c4.dir"}
    shards = {path.relative_to(tmp_path / "out").as_posix(): path for path in (tmp_path / "out").rglob("*.tar")}
    assert manifest["files"].keys() == shards.keys()
    for name, path in shards.items():
        assert manifest["files"][name]["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
        assert manifest["files"][name]["bytes"] == path.stat().st_size
    expected = Counter((row["split"], row["kind"], row["bucket"]) for row in training_samples(dataset))
    counted = {(row["split"], row["kind"], row["bucket"]): row["samples"] for row in manifest["buckets"]}
    assert counted == expected


def test_a_second_export_writes_nothing_and_another_folder_gets_the_same_bytes(dataset: Project, tmp_path: Path):
    first = export_webdataset(dataset, tmp_path / "a")
    before = state(tmp_path / "a")
    again = export_webdataset(dataset, tmp_path / "a")
    assert (first.written, again.written) == (first.files, 0)
    assert state(tmp_path / "a") == before
    export_webdataset(dataset, tmp_path / "b")
    assert contents(tmp_path / "b") == contents(tmp_path / "a")


def test_shards_are_bounded_and_every_step_is_told(dataset: Project, tmp_path: Path):
    told: list[tuple[int, int]] = []
    export_webdataset(dataset, tmp_path / "out", 1, lambda *numbers: told.append(numbers))
    total = len(training_samples(dataset))
    shards = list((tmp_path / "out").rglob("*.tar"))
    assert len(shards) == total
    assert all(len(read_shard(path)) == 1 for path in shards)
    assert sorted({done for done, _ in told}) == list(range(1, total + 1))
    assert {of for _, of in told} == {total}


def test_a_stopped_export_goes_on_and_gives_the_same_bytes(dataset: Project, tmp_path: Path):
    export_webdataset(dataset, tmp_path / "whole", 1)

    def stop(done: int, total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        export_webdataset(dataset, out, 1, stop)
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["complete"] is False
    assert len(manifest["files"]) == len(list(out.rglob("*.tar"))) == 2  # nothing of the third is left, hidden or not
    assert len([path for path in out.rglob("*") if path.is_file()]) == 3
    kept = {path: path.stat().st_mtime_ns for path in out.rglob("*.tar")}
    made = export_webdataset(dataset, out, 1)
    assert made.written == made.files - 2
    assert all(path.stat().st_mtime_ns == time for path, time in kept.items())
    assert contents(out) == contents(tmp_path / "whole")


def test_a_damaged_shard_and_one_of_changed_samples_are_written_again(dataset: Project, commit, tmp_path: Path):
    out = tmp_path / "out"
    export_webdataset(dataset, out)
    (damaged, *_) = sorted(out.rglob("*.tar"))
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[:-512])
    assert export_webdataset(dataset, out).written == 1
    assert damaged.read_bytes() == whole
    change_captions(dataset, "A film with number 0", "A red film")
    assert export_webdataset(dataset, out).written == 0, "what lies in data/ has not been committed"
    commit(dataset, "c5.dir")
    assert export_webdataset(dataset, out).written == 1
    captions = [members["txt"].decode() for _, members in read_all(out).values()]
    assert "A red film" in captions
    assert "A film with number 0" not in captions


def test_shards_of_an_earlier_export_that_are_not_planned_any_more_are_deleted(dataset: Project, tmp_path: Path):
    out = tmp_path / "out"
    export_webdataset(dataset, out, 1)
    (out / "train" / "notes.txt").write_text("mine")
    export_webdataset(dataset, out, 100)
    found = read_all(out)
    assert sorted(found) == sorted(sample["sample_id"] for sample in training_samples(dataset))
    assert {shard.rpartition("-")[2] for shard, _ in found.values()} == {"00000.tar"}
    assert (out / "train" / "notes.txt").read_text() == "mine"


def test_a_changed_source_and_a_stale_training_set_are_named(dataset: Project, tmp_path: Path):
    (dataset.root / "films" / "film0.mkv").unlink()
    with pytest.raises(ExportError, match=r"film0.mkv is missing"):
        export_webdataset(dataset, tmp_path / "out")
    keys = {sample["sample_id"] for sample in training_samples(dataset) if sample["path"] == "film0.mkv"}
    assert keys.isdisjoint(read_all(tmp_path / "out"))
    assert json.loads((tmp_path / "out" / "manifest.json").read_text())["complete"] is False
    rows = tables.read(dataset.table("captions"))
    tables.write(dataset.table("captions"), rows[1:], SCHEMA)
    with pytest.raises(ExportError, match=rf"video {rows[0]['item_id']}.*--select '\+training_set'"):
        export_webdataset(dataset, tmp_path / "out")


def test_a_source_that_has_another_content_by_now_is_refused(dataset: Project, tmp_path: Path):
    """Another film of the same length would lie under the hash of the first."""
    films = dataset.root / "films"
    (films / "film0.mkv").write_bytes((films / "film1.mkv").read_bytes())
    with pytest.raises(ExportError, match=r"film0.mkv is not what was curated"):
        export_webdataset(dataset, tmp_path / "out")


def test_a_source_that_was_only_copied_is_exported(dataset: Project, tmp_path: Path):
    before = export_webdataset(dataset, tmp_path / "a")
    (dataset.root / "films" / "film0.mkv").touch()
    assert export_webdataset(dataset, tmp_path / "b").bytes == before.bytes


def test_a_version_that_was_replaced_is_exported_as_it_was(dataset: Project, commit, set_params, tmp_path: Path):
    export_webdataset(dataset, tmp_path / "before")
    change_captions(dataset, "A film with number 0", "A red film")
    changed = set_params("dataset: {fps: 4}")
    commit(changed, "c5.dir")
    export_webdataset(changed, tmp_path / "old", version="c4.dir")
    assert contents(tmp_path / "old") == contents(tmp_path / "before")
    export_webdataset(changed, tmp_path / "new")
    manifest = json.loads((tmp_path / "new" / "manifest.json").read_text())
    assert manifest["dataset"] == {"training_set": "c5.dir"}
    members = [members for _, members in read_all(tmp_path / "new").values()]
    assert b"A red film" in [each["txt"] for each in members]
    assert {json.loads(each["json"])["fps"] for each in members} == {4.0, None}


def test_a_version_of_which_too_little_is_known_is_refused(dataset: Project, commit, tmp_path: Path):
    with pytest.raises(LostVersion, match="dvc fetch training_set"):
        export_webdataset(dataset, tmp_path / "out", version="c0ffee.dir")
    commit(dataset, "c5.dir")
    folder = folder_of(dataset, "c4.dir")
    (folder / SETTINGS).unlink()
    with pytest.raises(ExportError, match=r"the dataset\.fps of training set c4\.dir is not known any more"):
        export_webdataset(dataset, tmp_path / "out", version="c4.dir")
    write_json(folder_of(dataset, "c5.dir") / MADE_FROM, {"training_set": "c5.dir", "captions": "c3"})
    with pytest.raises(ExportError, match=r"which curated_clips and curated_images training set c5\.dir was made from"):
        export_webdataset(dataset, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_facts_come_from_the_tables_behind_the_version(dataset: Project, tmp_path: Path):
    """In a real DVC repository: the scores have changed since, and the tables with them."""
    (dataset.root / "dvc.lock").unlink()
    made = ("raw_videos", "curated_clips", "curated_images", "captions", "training_set")
    stages = {
        name: {
            "cmd": "true",
            "deps": [STEPS[each].output for each in STEPS[name].inputs if each in made],
            "outs": [STEPS[name].output],
        }
        for name in made
    }
    (dataset.root / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
    old = _committed(dataset)
    keep(dataset, old)
    write_json(folder_of(dataset, old) / SETTINGS, {"dataset": {"fps": 8}})
    rows = tables.read(dataset.table("curated_clips"))
    changed = [{**row, "aesthetic": 1.5} for row in rows]
    tables.write(dataset.table("curated_clips"), changed, schemas.NEAR_DUPLICATES)
    change_captions(dataset, "A film with number 0", "A red film")
    assert _committed(dataset) != old
    export_webdataset(dataset, tmp_path / "out", version=old)
    abouts = [json.loads(members["json"]) for _, members in read_all(tmp_path / "out").values()]
    scores = {about["scores"]["aesthetic"]["value"] for about in abouts if about["kind"] == "video"}
    assert scores == {row["aesthetic"] for row in rows if row["rejected_by"] is None}


def _committed(project: Project) -> str:
    with open_repository(project) as repo:
        repo.commit(force=True)
    return version(project, "training_set")


def test_an_empty_training_set_and_empty_shards_are_errors(dataset: Project, commit, tmp_path: Path):
    with pytest.raises(ExportError, match="samples_per_shard is 0"):
        export_webdataset(dataset, tmp_path / "out", 0)
    none: list[Sample] = []
    tables.write(dataset.data / "training_set" / "samples.parquet", none, SAMPLES)
    commit(dataset, "c5.dir")
    with pytest.raises(ExportError, match="empty"):
        export_webdataset(dataset, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_cut_is_exported_by_itself(dataset: Project, commit, tmp_path: Path):
    """At its own frames a second; samples of two cuts may be in one bucket."""
    cut, path = "fps=12 enlarge=True", dataset.data / "training_set" / "samples.parquet"
    rows = tables.read(path)
    others = [{**row, "sample_id": row["sample_id"][::-1], "cut": cut} for row in rows if row["kind"] == "video"]
    tables.write(path, [*rows, *others], SAMPLES)
    commit(dataset, "c5.dir")
    export_webdataset(dataset, tmp_path / "default")
    assert sorted(read_all(tmp_path / "default")) == sorted(row["sample_id"] for row in rows)
    export_webdataset(dataset, tmp_path / "own", cut=cut)
    found = read_all(tmp_path / "own")
    assert sorted(found) == sorted(row["sample_id"] for row in others)
    assert {json.loads(members["json"])["fps"] for _, members in found.values()} == {12.0}
    assert {film(members["mp4"])[1] for _, members in found.values()} == {12.0}
    assert json.loads((tmp_path / "own" / "manifest.json").read_text())["cut"] == cut
    with pytest.raises(ExportError, match=r"no samples of the cut 'fps=9', but of: dataset; fps=12 enlarge=True"):
        export_webdataset(dataset, tmp_path / "none", cut="fps=9")
