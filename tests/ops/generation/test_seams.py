import numpy as np

from ops.generation.seams import Seam, Seams


def chunk(*greys: int) -> np.ndarray:
    return np.stack([np.full((4, 6, 3), grey, np.uint8) for grey in greys])


def test_a_seam_is_measured_against_what_changes_elsewhere() -> None:
    """Neighbours within chunks differ by 2, 2, 2 and 4 grey levels; across the seams by 10 and by 2."""
    seams = Seams()
    frames = list(seams.watched([chunk(0, 2, 4), chunk(14, 16), chunk(18, 22)]))
    assert [frame[0, 0, 0] for frame in frames] == [0, 2, 4, 14, 16, 18, 22]
    assert seams.found() == [Seam(3, 10.0, 5.0), Seam(5, 2.0, 1.0)]


def test_where_nothing_moves_a_seam_has_no_ratio() -> None:
    seams = Seams()
    list(seams.watched([chunk(255, 255), chunk(0, 0)]))
    assert seams.found() == [Seam(2, 255.0, None)]


def test_a_video_of_one_chunk_has_no_seam() -> None:
    seams = Seams()
    assert len(list(seams.watched([chunk(0, 9, 0)]))) == 3
    assert seams.found() == []
