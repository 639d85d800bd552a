from __future__ import annotations

from ops.evaluation.vbench.static_filter import stands_still


def test_a_video_stands_still_by_the_rule() -> None:
    """Of 16 frames, 256 pixels a side: at most 2 flows above 3 pixels, and neither end more than 12 from the other."""
    still = [0.5] * 15
    assert stands_still(still, [11.9, 1.0], 16, 256)
    assert not stands_still(still, [12.1, 1.0], 16, 256)
    assert stands_still([4.0] * 2 + still[2:], [0.0, 0.0], 16, 256)
    assert not stands_still([4.0] * 3 + still[3:], [0.0, 0.0], 16, 256)
    assert stands_still([4.0] * 3 + still[3:], [0.0, 0.0], 16, 512)
