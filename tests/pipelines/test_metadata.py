"""Results as the Dagster page shows them: never JSON, and pictures at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from PIL import Image
from starlette.applications import Starlette
from starlette.testclient import TestClient

from ops.runtime.project import Project
from pipelines import pictures
from pipelines.factories import metadata

SHORT_ENOUGH = 1000
"""Characters of Markdown that the page of Dagster 1.13 shows without a click."""


def rows(results: dict[str, Any], name: str) -> list[dict[str, Any]]:
    table = metadata.values(results)[name]
    assert isinstance(table, dg.TableMetadataValue)
    assert [set(record.data) for record in table.records] == [{c.name for c in table.schema.columns}] * len(
        table.records
    )
    return [dict(record.data) for record in table.records]


@pytest.mark.parametrize(
    ("name", "result", "shown"),
    [
        ("checkpoints", [{"step": 1, "loss": 0.123456789}], [{"step": 1, "loss": 0.12346}]),
        ("checkpoints", [{"a": 1}, {"b": [1, 2]}], [{"a": 1, "b": None}, {"a": None, "b": "1, 2"}]),
        ("protocols", {"psnr": "vae-recon/v1"}, [{"metric": "psnr", "protocol": "vae-recon/v1"}]),
        ("other", {"a": {"b": 1}, "c": 2}, [{"name": "a.b", "value": 1}, {"name": "c", "value": 2}]),
        ("totals", {"20": {"quality": 0.5}}, [{"step": "20", "quality": 0.5}]),
        (
            "metrics",
            {"video": {"psnr": {"mean": 20.0, "count": 2}}},
            [{"kind": "video", "metric": "psnr", "mean": 20.0, "count": 2}],
        ),
        ("findings", [["score", True, "is better"]], [{"rule": "score", "passed": True, "finding": "is better"}]),
    ],
)
def test_nested_results_are_tables(name: str, result: Any, shown: list[dict[str, Any]]) -> None:
    assert rows({name: result}, name) == shown


def test_no_result_is_json_and_nothing_is_left_out() -> None:
    found = metadata.values({"a": 1, "b": 0.123456789, "c": True, "d": "x", "e": [0.5, 1], "f": None, "g": [], "h": {}})
    assert {name: value.value for name, value in found.items()} == {
        **{"a": 1, "b": 0.123456789, "c": True, "d": "x"},
        "e": "0.5, 1",
    }


def test_a_long_table_says_how_much_of_it_is_not_shown() -> None:
    shown = rows({"scores": [{"step": step} for step in range(metadata.MOST_ROWS + 5)]}, "scores")
    assert len(shown) == metadata.MOST_ROWS + 1
    assert shown[-1] == {"step": "… and 5 more"}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


@pytest.fixture
def drawn(project: Project) -> Path:
    folder = project.var / "artifacts" / "samples" / "f"
    folder.mkdir(parents=True)
    Image.new("RGB", (8, 8), "red").save(folder / "contact_sheet.png")
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    frames[0].save(folder / "videos.webp", save_all=True, append_images=frames[1:])
    (folder / "weights.bin").write_bytes(b"no picture")
    return folder


def test_pictures_are_short_markdown_that_the_server_answers(project: Project, drawn: Path) -> None:
    shown = pictures.shown(project, drawn)
    assert set(shown) == {"contact_sheet", "videos"}
    client = TestClient(Starlette(routes=[pictures.route(project)]))
    for name, file in (("contact_sheet", "contact_sheet.png"), ("videos", "videos.webp")):
        markdown = str(shown[name].value)
        assert len(markdown) < SHORT_ENOUGH
        answer = client.get(markdown.rpartition("(")[2].rstrip(")"))
        assert (answer.status_code, answer.content) == (200, (drawn / file).read_bytes())
        assert answer.headers["content-type"] == pictures.FORMATS[Path(file).suffix]


def test_an_older_materialisation_keeps_its_picture(project: Project, drawn: Path) -> None:
    before = pictures.shown(project, drawn)["contact_sheet"].value
    Image.new("RGB", (8, 8), "green").save(drawn / "contact_sheet.png")
    assert pictures.shown(project, drawn)["contact_sheet"].value != before
    assert len(list(pictures.folder_of(project).iterdir())) == 3


@pytest.mark.parametrize("name", ["..%2Fmlflow%2Fmlflow.db", "%2e%2e%2fpages.json", "secret.txt", "none.png", ""])
def test_the_server_answers_nothing_but_pictures(project: Project, drawn: Path, name: str) -> None:
    pictures.shown(project, drawn)
    (project.var / "pages.json").write_text("{}")
    (pictures.folder_of(project) / "secret.txt").write_text("secret")
    client = TestClient(Starlette(routes=[pictures.route(project)]))
    assert client.get(f"{pictures.ADDRESS}/{name}").status_code == 404


def test_a_picture_that_is_too_large_is_named(project: Project, drawn: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "LARGEST", 10)
    assert pictures.shown(project, drawn)["videos"].value == str(drawn / "videos.webp")


def test_columns_that_name_a_row_stand_before_its_figures() -> None:
    """An artifact's results come back with their keys in order."""
    shown = metadata.table(
        [{"chance": None, "measure": "presence", "share": 1.0}, {"chance": 0.25, "measure": "colour"}]
    )
    assert isinstance(shown, dg.TableMetadataValue)
    assert [column.name for column in shown.schema.columns] == ["measure", "chance", "share"]
