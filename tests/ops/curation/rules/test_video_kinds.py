"""Videos that a recipe leaves out for what was found in them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

import pytest

from ops.config import VideoKind
from ops.curation.rules.video_kinds import KINDS, excluded
from ops.runtime import tables
from ops.runtime.project import Project
from ops.steps import step

PLAIN: dict[str, Any] = {
    **{"interlaced": False, "field_order": "progressive", "transparent": False, "pixel_format": "yuv420p"},
    **{"colour_transfer": None, "colour_primaries": None, "sample_aspect_ratio": 1.0, "fps": 25.0},
    "variable_frame_rate": False,
}
FOUND: list[tuple[VideoKind, dict[str, Any], str]] = [
    ("interlaced", {"interlaced": True, "field_order": "top_first"}, "is interlaced (top_first)"),
    ("hdr", {"colour_transfer": "smpte2084", "colour_primaries": "bt2020"}, "is HDR (smpte2084)"),
    ("hdr", {"colour_transfer": "arib-std-b67"}, "is HDR (arib-std-b67)"),
    ("wide_gamut", {"colour_primaries": "smpte432"}, "has the primaries of smpte432"),
    ("transparent", {"transparent": True, "pixel_format": "yuva420p"}, "has an alpha channel (yuva420p)"),
    ("non_square_pixels", {"sample_aspect_ratio": 4 / 3}, "has pixels 1.333 times as wide as high"),
    ("variable_frame_rate", {"variable_frame_rate": True}, "has a variable frame rate (25.00 a second on average)"),
]


def test_every_kind_is_known() -> None:
    assert set(KINDS) == set(get_args(VideoKind)) == {kind for kind, _, _ in FOUND}


@pytest.mark.parametrize(("kind", "found", "told"), FOUND)
def test_a_kind_is_left_out_if_the_recipe_says_so(recipe, project: Project, kind, found, told) -> None:
    curation = recipe(project, {"exclude_videos": [kind]}).settings.curation
    assert excluded(PLAIN, curation) is None
    rejection = excluded({**PLAIN, **found}, curation)
    assert rejection is not None
    assert rejection.text == f"{told}, which curation.exclude_videos leaves out ('{kind}')"
    others = [each for each in KINDS if each != kind]
    assert excluded({**PLAIN, **found}, recipe(project, {"exclude_videos": others}).settings.curation) is None


def test_another_choice_looks_at_no_file_again(
    project: Project, videos, recipe: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    videos.variable_frame_rate(project.root / "films" / "phone.mkv")
    videos.slow_pan(project.root / "films" / "plain.mp4")

    def reasons(kinds: list[str]) -> dict[str, str | None]:
        changed = recipe(project, {"workers": 1, "exclude_videos": kinds}, videos="films")
        step("raw_videos").load()(changed)
        return {row["path"]: row["reason_code"] for row in tables.read(changed.table("raw_videos"))}

    assert reasons([]) == {"phone.mkv": None, "plain.mp4": None}
    monkeypatch.setattr("ops.curation.steps.raw_videos.probe", None)
    assert reasons(["variable_frame_rate"]) == {"phone.mkv": "excluded_kind", "plain.mp4": None}
    assert reasons(["interlaced"]) == {"phone.mkv": None, "plain.mp4": None}
