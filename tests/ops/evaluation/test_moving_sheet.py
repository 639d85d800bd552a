from pathlib import Path

import numpy as np
from PIL import Image

from ops.evaluation.moving_sheet import LINES, MOST_FRAMES, write_moving_sheet
from ops.runtime.frame_grid import GAP, LABEL
from ops.runtime.mp4 import write_mp4


def test_the_chosen_step_plays_with_a_tile_for_each_prompt(tmp_path: Path) -> None:
    """Red turns to blue in the first video; the second, shorter one stays green."""
    turning = np.zeros((9, 48, 64, 3), np.uint8)
    turning[:5, ..., 0], turning[5:, ..., 2] = 200, 200
    still = np.zeros((5, 48, 64, 3), np.uint8)
    still[..., 1] = 200
    manifest = []
    for index, frames in enumerate((turning, still)):
        for step, seed in ((10, 0), (20, 0), (20, 1)):
            file = f"{step}-{index}-{seed}.mp4"
            write_mp4(tmp_path / file, frames if (step, seed) == (20, 0) else frames * 0, 8)
            manifest.append({"step": step, "prompt_index": index, "prompt": "ein rotes Quadrat ▲", "file": file})
    write_moving_sheet(tmp_path / "videos.webp", tmp_path, manifest, step=20, fps=8)
    assert (tmp_path / "videos.webp").stat().st_size < 50_000
    with Image.open(tmp_path / "videos.webp") as film:
        assert film.n_frames <= MOST_FRAMES
        assert film.size == (2 * 192 + GAP, 144 + LINES * LABEL)
        first = np.asarray(film.convert("RGB")).astype(int)
        film.seek(film.n_frames - 1)
        last = np.asarray(film.convert("RGB")).astype(int)
    left, right = (LABEL + 72, 96), (LABEL + 72, 192 + GAP + 96)
    assert [int(np.argmax(picture[place])) for picture in (first, last) for place in (left, right)] == [0, 1, 2, 1]
