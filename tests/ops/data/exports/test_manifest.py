import json
from pathlib import Path

import pytest

from ops.data.exports.manifest import ExportError, Manifest


def test_a_listed_path_that_leads_outside_is_refused_and_nothing_is_deleted(tmp_path: Path):
    outside, out = tmp_path / "precious.txt", tmp_path / "out"
    outside.write_text("mine")
    manifest = Manifest.at(out, "webdataset", {})
    manifest.begin({"a.tar": "x"})
    (out / "a.tar").write_bytes(b"")
    manifest.add("a.tar", "x")
    manifest.finish(1, 1, {})
    tree = json.loads((out / "manifest.json").read_text())
    for name in ("../precious.txt", str(outside), "a/../../precious.txt", "."):
        text = json.dumps({**tree, "files": {name: tree["files"]["a.tar"]}})
        (out / "manifest.json").write_text(text)
        with pytest.raises(ExportError, match="leads outside"):
            Manifest.at(out, "webdataset", {})
    assert outside.read_text() == "mine"


def test_a_file_below_a_link_that_leads_outside_is_refused(tmp_path: Path):
    out = tmp_path / "out"
    manifest = Manifest.at(out, "webdataset", {})
    out.mkdir()
    (out / "train").symlink_to(tmp_path)
    with pytest.raises(ExportError, match="leads outside"):
        manifest.begin({"train/a.tar": "x"})


def test_somebody_elses_folder_is_refused(tmp_path: Path):
    (tmp_path / "photo.jpg").write_bytes(b"")
    with pytest.raises(ExportError, match=r"holds files but no manifest.json"):
        Manifest.at(tmp_path, "webdataset", {})
    with pytest.raises(ExportError, match="is not a folder"):
        Manifest.at(tmp_path / "photo.jpg", "webdataset", {})
    for text in (
        "[]",
        "{",
        '{"format": 99, "files": {}}',
        '{"format": 1, "files": {"a": 3}, "kind": "webdataset"}',
        '{"format": 1, "files": {}}',
    ):
        (tmp_path / "manifest.json").write_text(text)
        with pytest.raises(ExportError, match="not a manifest of format 1"):
            Manifest.at(tmp_path, "webdataset", {})


def test_a_folder_holds_one_kind_of_export(tmp_path: Path):
    manifest = Manifest.at(tmp_path / "out", "annotations", {})
    manifest.begin({"a.json": "x"})
    with pytest.raises(ExportError, match="an export of kind annotations"):
        Manifest.at(tmp_path / "out", "webdataset", {})


def test_files_that_are_to_be_deleted_stay_listed_until_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    out = tmp_path / "out"
    manifest = Manifest.at(out, "webdataset", {})
    for name in manifest.begin({"a.tar": "x", "b.tar": "x"}):
        (out / name).write_bytes(b"")
        manifest.add(name, "x")
    manifest.finish(2, 2, {})

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", killed)
        with pytest.raises(KeyboardInterrupt):
            Manifest.at(out, "webdataset", {}).begin({"a.tar": "x"})
    tree = json.loads((out / "manifest.json").read_text())
    assert tree["complete"] is False
    assert sorted(tree["files"]) == ["a.tar", "b.tar"]
    Manifest.at(out, "webdataset", {}).begin({"a.tar": "x"})
    assert not (out / "b.tar").exists()


def test_of_many_files_the_manifest_is_written_for_parts_of_them_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is as large as what it lists, and would be written a hundred thousand times."""
    saved = []
    save = Manifest._save
    monkeypatch.setattr(Manifest, "_save", lambda manifest, complete: [saved.append(1), save(manifest, complete)])
    manifest = Manifest.at(tmp_path / "out", "webdataset", {})
    names = manifest.begin({f"{number}.tar": "x" for number in range(1000)})
    for name in names:
        (tmp_path / "out" / name).write_bytes(b"")
        manifest.add(name, "x")
    assert len(saved) < 300
    again = Manifest.at(tmp_path / "out", "webdataset", {})
    assert 980 < len(again.files) <= 1000
    manifest.finish(1000, 1000, {})
    assert len(Manifest.at(tmp_path / "out", "webdataset", {}).files) == 1000
