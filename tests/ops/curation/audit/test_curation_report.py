from __future__ import annotations

import base64
import io
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner

from ops.catalogue.reasons import MEANINGS, Reason
from ops.curation import tables as schemas
from ops.curation.audit.sample import ranked
from ops.curation.audit.session import Audit
from ops.curation.measuring.scores import Cost, Score, ScoreStore, score_key
from ops.data import captions
from ops.reports.curation_report import MOST, curation_report
from ops.reports.verdict_groups import verdict_groups
from ops.runtime import tables
from ops.runtime.project import Project
from ops.runtime.tables import Row
from pipelines.cli import app


class Page(HTMLParser):
    """Pictures, headings and captions of the page, in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.pictures: dict[str, Image.Image] = {}
        self.headings: list[str] = []
        self.inside = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.inside = tag
        if tag == "img":
            values = dict(attrs)
            kind, _, content = str(values["src"]).partition(";base64,")
            assert kind in ("data:image/png", "data:image/jpeg")
            self.pictures[str(values["alt"])] = Image.open(io.BytesIO(base64.b64decode(content)))

    def handle_data(self, data: str) -> None:
        if self.inside == "h2" and data.strip():
            self.headings.append(data)


@pytest.fixture(scope="module")
def text(audited_root: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("report") / "report.html"
    curation_report(Project(audited_root), path)
    return path.read_text()


def test_the_page_shows_funnel_histograms_and_clips_by_reason(text: str) -> None:
    page = Page(text)
    assert page.headings == [
        "Counts and costs",
        "Precision",
        "Kept",
        "Rejected at shots: … frames between cuts, fewer than 25",
        "Rejected at motion: motion … is below 0.001: almost a still picture",
        "Rejected at motion: motion … is above 0.3: shaking or flicker",
        "Rejected at aesthetics: colourfulness … is below 12",
        "Rejected at technical quality: brisque … is above 42",
        "Rejected at technical quality: its worker died twice",
    ]
    assert page.pictures["What is left after each step"].width > 1000
    assert page.pictures["Scores and their limits"].width > 1000
    assert len(page.pictures) == 2 + 14
    assert page.pictures["cut.mp4, frames 31 to 59"].width > page.pictures["pan0.mp4, frames 0 to 47"].width
    assert "cannot be shown" in text
    assert "No clip of this table has been judged yet" in text


def test_what_measuring_has_cost_stands_beside_the_counts(audited: Project, tmp_path: Path) -> None:
    with ScoreStore.of(audited) as store:
        for step, cost in (("aesthetics", Cost(12.345, 0.5, 7_000_000)), ("decoding", Cost(2.0, 0.0, 3_000_000))):
            found = store.remember(step, {})
            store.put([Score(score_key(found, "a"), "f" * 64, step, 1.0 if step == "aesthetics" else None, cost)])
    curation_report(audited, tmp_path / "report.html")
    lines = [re.findall(r"<td>(.*?)</td>", line) for line in (tmp_path / "report.html").read_text().splitlines()]
    rows = {cells[1]: cells for cells in lines if len(cells) == 11}
    assert rows["aesthetics"][2:6] == ["12", "11", "1", "0"]
    assert rows["aesthetics"][-3:] == ["12.35", "0.50", "7.0"]
    assert rows["decoding"] == ["video", "decoding", *[""] * 6, "2.00", "0.00", "3.0"]
    assert rows["shots"][-3:] == ["", "", ""]


def test_what_captions_took_is_told(audited: Project) -> None:
    kept = tables.kept(tables.read(audited.table("curated_clips")))
    paid = {"kind": "video", "caption": "a pan", "input_tokens": 1000, "output_tokens": 50, "cost": 0.002}
    tables.write(audited.table("captions"), [{**paid, "item_id": row["clip_id"]} for row in kept], captions.SCHEMA)
    curation_report(audited, audited.var / "report.html")
    told = "Captions took 9,000 input tokens, 450 output tokens and a cost of 0.018"
    assert f"<p>{told}.</p>" in (audited.var / "report.html").read_text()


def test_the_command_writes_it_and_says_where(audited: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SORAFLOW_PROJECT", str(audited.root))
    done = CliRunner().invoke(app, ["curate", "report"])
    assert done.exit_code == 0, done.output
    assert done.output.strip() == str(audited.var / "curation_report.html")
    assert Page((audited.var / "curation_report.html").read_text()).pictures


def test_crop_and_cut_are_drawn(text: str) -> None:
    pictures = Page(text).pictures
    gold = pictures["subtitle.mp4, frames 0 to 47"].convert("RGB").getpixel((160, 1))
    red = pictures["cut.mp4, frames 31 to 59"].convert("RGB").getpixel((131, 2))
    assert isinstance(gold, tuple)
    assert isinstance(red, tuple)
    assert gold[0] > 180 > gold[2]
    assert red[0] > max(red[1:]) + 60


def test_nothing_is_fetched(text: str) -> None:
    sources = re.findall(r"(?:src|href)=(.{6})", text)
    assert set(sources) == {"'data:"}
    assert not re.search(r"url\(|@import|https?:", re.sub(r"base64,[^']*", "", text))


def test_verdicts_give_the_precision(audited: Project) -> None:
    audit = Audit.of(audited, 15, seed=0)
    for row in audit.sample:
        audit.judge(row["clip_id"], "accept" if row["rejected_by"] in (None, "motion") else "reject")
    curation_report(audited, audited.var / "report.html")
    text = (audited.var / "report.html").read_text()
    assert "<td>kept</td><td>100% [70%, 100%], 9 of 9</td>" in text
    assert "<td>rejected, all steps</td><td>67% [30%, 90%], 4 of 6</td>" in text
    assert "<td>rejected at motion</td><td>0% [0%, 66%], 0 of 2</td>" in text


def test_verdicts_on_another_version_of_the_table_are_not_counted(audited: Project) -> None:
    audit = Audit.of(audited, 15, seed=0)
    for row in audit.sample[:3]:
        audit.store.append(row["clip_id"], "accept", "0" * 32, None)
    curation_report(audited, audited.var / "report.html")
    text = (audited.var / "report.html").read_text()
    assert "3 were judged in other versions of the table" in text
    assert "<td>kept</td>" not in text


def test_a_reason_is_one_group_however_it_is_told(audited: Project) -> None:
    row = tables.read(audited.table("curated_clips"))[0]
    told = ["its caption is not English: 'ein Hund'", "its caption is not English: 'un chien'"]
    gone = [{**row, "rejected_by": "language", "reason_code": "not_english", "reason": each} for each in told]
    path = audited.root / "told.parquet"
    tables.write(path, [*gone, row], schemas.NEAR_DUPLICATES)
    assert rows_of(path) == {
        "Kept": 1,
        f"Rejected at language: {MEANINGS[Reason.NOT_ENGLISH]}": 2,
    }
    tables.write(path, gone[:1], schemas.NEAR_DUPLICATES)
    assert list(rows_of(path)) == [f"Rejected at language: {told[0]}"]


def test_images_are_shown_by_reason_too(audited: Project) -> None:
    folder = audited.root / "stills"
    folder.mkdir()
    Image.new("RGB", (900, 600), "teal").save(folder / "sign.png")
    Image.new("RGB", (64, 48), "grey").save(folder / "grey.png")
    (folder / "torn.png").write_bytes(b"no picture")

    def row(name: str, size: tuple[int, int] | None, gone: tuple[str, str] | None = None, **known: Any) -> Row:
        width, height = size or (None, None)
        step, reason = gone or (None, None)
        place = {"source_id": name, "root": "stills", "path": name, "width": width, "height": height}
        return {**place, "collection": "captioned", "rejected_by": step, "reason": reason, **known}

    read = {"recognised_text": ["NO <ENTRY>"], "watermark": 0.125, "aesthetic": 31.5, "technical": 7.0}
    rows = [
        row("grey.png", (64, 48), ("aesthetics", "colourfulness 0.00 is below 12"), aesthetic=0.0),
        row("torn.png", None, ("raw_images", "its content is not JPEG, PNG or WebP")),
        row("sign.png", (900, 600), collection="text", **read),
    ]
    tables.write(audited.table("curated_images"), rows, schemas.CURATED_IMAGES)
    curation_report(audited, audited.var / "report.html")
    text = (audited.var / "report.html").read_text()
    page = Page(text)
    assert page.headings[-3:] == [
        "Images kept",
        "Images rejected at raw images: its content is not JPEG, PNG or WebP",
        "Images rejected at aesthetics: colourfulness … is below 12",
    ]
    assert "and 1 of 3 images kept" in text
    assert page.pictures["sign.png"].size == (384, 256)
    assert page.pictures["grey.png"].size == (64, 48)
    size, scores = "900\u00d7600", "aesthetics 31.5 · technical quality 7"
    told = f"{size} · collection text · watermark 0.12 · {scores} · text read: NO &lt;ENTRY&gt;"
    assert f"<b>sign.png</b> · {told}</figcaption>" in text
    assert text.count("cannot be shown") == 2  # torn.png, and the clip whose film is lost


def test_a_large_group_is_sampled(audited: Project) -> None:
    rows = tables.read(audited.table("curated_clips"))
    kept = [{**rows[0], "clip_id": f"{number:016}"} for number in range(30)]
    tables.write(audited.table("curated_clips"), kept, tables.pq.read_schema(audited.table("curated_clips")))
    curation_report(audited, audited.var / "report.html")
    text = (audited.var / "report.html").read_text()
    assert text.count("<figure>") == MOST
    assert f"30 clips, 60.0 s, {MOST} of them shown" in text


def test_a_path_is_text_not_markup(audited: Project) -> None:
    rows = tables.read(audited.table("curated_clips"))
    evil = [{**row, "path": "<b>.mp4", "reason": row["reason"] and "<i>bad</i>"} for row in rows]
    tables.write(audited.table("curated_clips"), evil, tables.pq.read_schema(audited.table("curated_clips")))
    curation_report(audited, audited.var / "report.html")
    text = (audited.var / "report.html").read_text()
    assert "<b><b>" not in text
    assert "<i>" not in text
    assert "&lt;i&gt;bad" in text


def test_groups_join_reasons_that_differ_in_a_number(tmp_path: Path) -> None:
    def row(step: str | None, reason: str | None) -> dict[str, Any]:
        return {"rejected_by": step, "reason": reason}

    rows = [row("motion", f"motion 0.000{n} is below 0.001: still") for n in range(3)] + [row(None, None)]
    tables.write(tmp_path / "table.parquet", rows, schemas.NEAR_DUPLICATES)
    assert rows_of(tmp_path / "table.parquet") == {
        "Kept": 1,
        "Rejected at motion: motion … is below 0.001: still": 3,
    }


def test_which_are_shown_does_not_depend_on_how_the_table_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first by the random order of all, whatever lies in one part."""
    path, seed = tmp_path / "table.parquet", 3
    rows: list[Any] = [
        {"clip_id": f"{number:04d}", "seconds": 0.5, "rejected_by": "motion" if number % 3 else None, "reason": "still"}
        for number in range(500)
    ]
    tables.write(path, rows, schemas.NEAR_DUPLICATES)
    wanted = [row["clip_id"] for row in ranked([row for row in rows if row["rejected_by"]], seed)[:5]]
    for batch in (7, 1000):
        monkeypatch.setattr(tables, "BATCH", batch)
        group = verdict_groups(path, "clip_id", seed, 5)["Rejected at motion: still"]
        assert [row["clip_id"] for row in group.shown(path, 5)] == wanted
        assert (group.rows, group.seconds) == (333, 166.5)


def rows_of(path: Path) -> dict[str, int]:
    return {title: group.rows for title, group in verdict_groups(path, "clip_id", 0, MOST).items()}
