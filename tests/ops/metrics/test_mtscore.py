from __future__ import annotations

import numpy as np
import pytest

from ops.metrics.mtscore import metamorphic, network_input, sentences


def test_the_worked_example() -> None:
    cosines = np.array([0.20, 0.19, 0.18, 0.17, 0.16, 0.21, 0.20, 0.19, 0.18, 0.17])
    weights = np.exp(100 * cosines)
    assert metamorphic(weights / weights.sum()) == pytest.approx(0.699374, abs=5e-7)


def test_only_the_five_largest_count() -> None:
    assert metamorphic(np.array([0.2, 0.2, 0.2, 0.2, 0.15, 0.01, 0.01, 0.01, 0.01, 0.01])) == 0


@pytest.mark.parametrize(("frames", "places"), [(4, [0, 1, 2, 3]), (11, [0, 2, 4, 6]), (16, [0, 4, 8, 12])])
def test_four_frames_are_looked_at(frames: int, places: list[int]) -> None:
    video = np.arange(frames, dtype=np.uint8)[:, None, None, None].repeat(8, 1).repeat(8, 2).repeat(3, 3)
    found = network_input(video, "cpu")
    assert found.shape == (1, 4, 3, 224, 224)
    seen = (found[0, :, 0, 0, 0] * 0.229 + 0.485) * 255
    assert seen.round().int().tolist() == places


def test_sentences_are_read_and_not_run(tmp_path) -> None:
    file = tmp_path / "step0-get_MTScore.py"
    ten = [f"sentence {number}" for number in range(10)]
    file.write_text(f"import nothing_of_that_name\ntext_candidates = {ten}\n")
    assert sentences(file) == ten
    file.write_text("text_candidates = ['one']")
    with pytest.raises(ValueError, match="text_candidates of ten sentences"):
        sentences(file)
