"""What a file of settings must be for its video to be made again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ops.generation import settings_file
from ops.generation.computed import Computed
from ops.runtime.files import sha256
from ops.sampling.request import Given, Request, SamplingError

REQUEST = Request("a cat", seed=3, steps=5, guidance=3.0, frames=9, height=32, width=48, fps=8.0)
PARTS = {
    "denoiser": "d",
    "denoiser_asset": "denoiser_video",
    "denoiser_version": "1",
    "step": 4,
    "vae": "v",
    "vae_asset": "wfvae",
    "vae_version": "1",
    "latents_version": "1",
    "shift": [0.0],
    "scale": [1.0],
    "text_encoder": "minilm-l6",
    "text_encoder_version": "1",
    "max_tokens": 64,
}


def told(asked: Request = REQUEST, **changes: object) -> dict[str, object]:
    usual = {
        "version": settings_file.VERSION,
        "request": asked.as_json(),
        "model": PARTS,
        "computed": Computed(guidance_passes=2).as_json(),
        "video": {"sha256": "0" * 64},
        "codec": "libx264",
        "device": "cpu",
        "code": {},
        "notes": [],
    }
    return {**usual, **changes}


def test_what_was_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "video.json"
    path.write_text(json.dumps(told()))
    made = settings_file.read(path)
    assert (made.request, made.computed) == (REQUEST, Computed(guidance_passes=2))
    assert made.parts.denoiser_asset == "denoiser_video"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"there is no settings file .*video\.json: it lies beside a video"),
        ("no JSON", "is no settings file of a video"),
        ("[1]", "such a file has the keys version, request, model"),
        (json.dumps({"request": {}, "model": {}}), "is of version 1, of an older soraflow; this one makes videos of"),
        (json.dumps(told(version=3)), "is of version 3, of a newer soraflow"),
        (json.dumps({key: value for key, value in told().items() if key != "computed"}), "lacks computed"),
        (json.dumps(told(model={})), "cannot be made again: its model is not as this soraflow tells one: denoiser, "),
        (json.dumps(told(computed={"batch": 1})), "other keys than these: guidance_passes"),
        (json.dumps(told(request={"prompt": "a cat"})), "cannot be made again: .*fps, frames"),
    ],
)
def test_what_is_none_says_what_is_wrong(tmp_path: Path, content: str | None, message: str) -> None:
    path = tmp_path / "video.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(SamplingError, match=message):
        settings_file.read(path)


def test_given_files_are_found_beside_the_settings_or_where_one_says(tmp_path: Path) -> None:
    picture = tmp_path / "elsewhere" / "first.png"
    picture.parent.mkdir()
    picture.write_bytes(b"a picture")
    request, _ = Request(**{**vars(REQUEST), "given": Given.beginning(picture)}).checked()
    path = tmp_path / "video.json"
    path.write_text(json.dumps(told(request)))
    with pytest.raises(SamplingError, match=r"first\.png \(sha256 [0-9a-f]{12}…\) is not in .*: put it there"):
        settings_file.read(path)
    assert settings_file.read(path, [picture]).request == request
    (tmp_path / "first.png").write_bytes(b"another picture")
    with pytest.raises(SamplingError, match="put it there"):
        settings_file.read(path)
    (tmp_path / "first.png").write_bytes(picture.read_bytes())
    found = settings_file.read(path).request.given
    assert found is not None
    assert found.files[0].path == (tmp_path / "first.png").resolve()
    assert found.files[0].sha256 == sha256(picture)
