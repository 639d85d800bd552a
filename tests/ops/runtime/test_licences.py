import pytest

from ops.curation.scorers.licences import scorer_licence
from ops.runtime.licences import package_licence, pattern_against


@pytest.mark.parametrize(
    ("licence", "patterns", "pattern"),
    [
        ("CC BY-NC 4.0", ["MIT", "CC-BY-NC*"], "CC-BY-NC*"),
        ("cc_by-nc-sa 2.0", ["CC BY-NC*"], "CC BY-NC*"),
        ("CC BY 4.0", ["CC-BY-NC*"], None),
        ("S-Lab 1.0, non-commercial use only", ["*non-commercial*"], "*non-commercial*"),
        ("MIT", ["MI"], None),
        (None, ["unknown"], "unknown"),
        (None, ["CC*"], None),
        ("MIT", [], None),
        ("MIT", ["*"], "*"),
    ],
)
def test_a_licence_matches_a_pattern_however_it_is_written(licence, patterns, pattern):
    assert pattern_against(licence, patterns) == pattern


def test_scorers_carry_the_licences_of_their_weights():
    assert scorer_licence("dover") == "S-Lab 1.0, non-commercial use only"
    assert scorer_licence("laion-v2") == "MIT; Apache-2.0"
    assert scorer_licence("colourfulness") == "soraflow's own"
    assert scorer_licence("of another version") == "unknown"


@pytest.fixture(params=["importlib.metadata", "importlib_metadata"])
def metadata_of(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once imported, the backport answers in place of the standard library, and fails on fields that are not there."""
    found = pytest.importorskip(request.param)
    monkeypatch.setattr("importlib.metadata.metadata", found.metadata)


@pytest.mark.usefixtures("metadata_of")
def test_packages_say_their_licence_in_one_of_three_ways():
    assert package_licence("scikit-video") == "BSD"
    assert package_licence("scikit-image") == "BSD License"  # its field License holds 9,000 characters
    assert package_licence("numpy").startswith("BSD-3-Clause")
