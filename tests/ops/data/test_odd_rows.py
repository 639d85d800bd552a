"""Whatever a file is called, whenever it was changed and whatever is said of it: it is a row that its suite is content
with, or a rejected one. No guard is stricter than what makes the rows, or one file would stop all."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from ops.catalogue.reasons import Reason
from ops.curation import tables as schemas
from ops.data.captions import NothingCaptioned, captions
from ops.data.expectations import validate
from ops.exit_codes import NothingKept
from ops.runtime import tables
from ops.runtime.project import Project
from ops.steps import step

ODD_NAMES = (
    *(
        "c:drive",
        "two\nlines",
        "a\\b",
        "..",
        "...a",
        "-",
        "~",
        "%s",
        "[id]",
        "tab\t",
        " ",
        "é",
        "e\u0301",
        "\u200b",
        "\x7f",
    ),
    *("兔子", "אבג", "\udce9", "a:b", "a|b", "\u2028", "x" * 120),
)
ODD_TEXTS = (
    *("", " ", "\0", "\x1b[31m", "The video shows The video shows ", "In the video, The image is a cat", "x" * 5000),
    *(
        "兔子在草地上",
        "кот",
        "אבג",
        "é",
        "e\u0301",
        "\u2028",
        "\ufeff",
        "a\x85b",
        "ŉ",
        "👩‍👩‍👧",
        "\x1c",
        "The video is \n",
    ),
)
DATES = (-(2**33), -1, 0, 1, 2**32, 11_644_473_600, 13_569_465_600)
"""Seconds from 1970, on to 2400, which no number of nanoseconds holds."""

names = st.sampled_from(ODD_NAMES) | st.text(st.characters(exclude_characters="/\0"), min_size=1, max_size=20)
texts = st.sampled_from(ODD_TEXTS) | st.text(max_size=60)
files = st.lists(
    st.tuples(names, texts, st.sampled_from(DATES), st.sampled_from([".txt", ".json", ".TXT"])),
    min_size=4,
    max_size=8,
    unique_by=lambda file: file[0],
)


def write_picture(path: Path, number: int) -> None:
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[..., 0], picture[: number + 1, :, 1] = 10 * number, 255
    Image.fromarray(picture).save(path, "png")


def write_films(folder: Path, films: list[tuple[str, str, int, str]]) -> None:
    """Pictures of these names, dates and captions; a name that the disk refuses gets no file."""
    for number, (name, text, date, beside) in enumerate(films):
        try:
            path = folder / f"{name}.png"
            write_picture(path, number)
        except (OSError, ValueError):
            continue
        said = json.dumps({"caption": text, "licence": text}) if beside == ".json" else text
        (folder / f"{name}{beside}").write_bytes(said.encode("utf-8", "surrogatepass"))
        os.utime(path, (date, date))


@pytest.fixture(scope="module")
def place(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("odd rows")
    shutil.copytree(checkout / "configs", root / "configs")
    tree: dict[str, Any] = {"sources": {"videos": None, "images": "pictures", "captions": None}}
    tree |= {"curation": {"workers": 1}, "dataset": {"max_dropped_share": 1.0}}
    (root / "params.yaml").write_text(yaml.safe_dump({"preset": "tiny", **tree}), encoding="utf-8")
    return root


@pytest.mark.costly
@given(files)
@settings(max_examples=4)
def test_every_suite_is_content_with_what_is_made_of_odd_files(
    place: Path, films: list[tuple[str, str, int, str]]
) -> None:
    with tempfile.TemporaryDirectory(dir=place) as folder:
        (place / "pictures").unlink(missing_ok=True)
        (place / "pictures").symlink_to(folder)
        write_films(Path(folder), films)
        project = Project(place)
        with suppress(NothingKept):
            step("raw_images").load()(project)
        rows = tables.read(project.table("raw_images"))
        files = [name for name in os.listdir(folder) if name.lower().endswith(".png")]
        assert len(rows) == len(files)
        assert {row["reason_code"] for row in rows} <= {None, Reason.BAD_NAME}
        assert validate(project, "raw_images").failures == []

        tables.write(project.table("curated_images"), rows, schemas.CURATED_IMAGES)
        tables.write(project.table("curated_clips"), [], schemas.NEAR_DUPLICATES)
        tables.write(project.table("raw_videos"), [], schemas.RAW_VIDEOS)
        assert validate(project, "curated_images").failures == []
        with suppress(NothingCaptioned):
            captions(project)
        assert validate(project, "captions").failures == []
