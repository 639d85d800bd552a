import pytest

from ops.evaluation.vbench.dimensions import DIMENSIONS
from ops.evaluation.vbench.score import metric_of
from ops.evaluation.vbench.totals import IncompleteScores, totals

GOLDEN = {
    "subject_consistency": 0.95,
    "background_consistency": 0.96,
    "temporal_flickering": 0.98,
    "motion_smoothness": 0.985,
    "dynamic_degree": 0.60,
    "aesthetic_quality": 0.60,
    "imaging_quality": 0.65,
    "object_class": 0.85,
    "multiple_objects": 0.60,
    "human_action": 0.95,
    "color": 0.88,
    "spatial_relationship": 0.60,
    "scene": 0.50,
    "appearance_style": 0.24,
    "temporal_style": 0.25,
    "overall_consistency": 0.27,
}


def test_the_worked_example_of_the_sheet() -> None:
    result = totals(GOLDEN)
    assert result.quality == pytest.approx(0.821606, abs=5e-7)
    assert result.semantic == pytest.approx(0.750758, abs=5e-7)
    assert result.total == pytest.approx(0.807437, abs=5e-7)


@pytest.mark.parametrize("dimension", sorted(GOLDEN))
def test_there_is_no_total_without_every_dimension(dimension: str) -> None:
    with pytest.raises(IncompleteScores, match=dimension):
        totals({**GOLDEN, dimension: None})


def test_the_registry_holds_the_sixteen_dimensions_and_one_needs_nothing() -> None:
    assert {dimension.name for dimension in DIMENSIONS} == set(GOLDEN)
    free = [name for name in GOLDEN if (metric := metric_of(name)) and not metric.needs.weights]
    assert free == ["temporal_flickering"]
    quality = [dimension for dimension in DIMENSIONS if dimension.group == "quality"]
    assert sum(dimension.weight for dimension in quality) == 6.5
    assert len(DIMENSIONS) - len(quality) == 9


def test_normalisation_is_not_clipped() -> None:
    scene = next(dimension for dimension in DIMENSIONS if dimension.name == "scene")
    assert scene.normalised(0.8222) == 1.0
    assert scene.normalised(1.0) > 1.0
