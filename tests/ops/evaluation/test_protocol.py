import dataclasses

import pytest

from ops.config import Evaluation
from ops.evaluation import protocols
from ops.evaluation.protocol import Protocol, ProtocolMismatch, Score

PROTOCOL = Protocol("t2v/v1", {"seeds": [0], "steps": 20}, {"temporal_flickering": "1"}, {"lpips": "abc"})


def test_equal_protocols_have_one_id_and_it_survives_json() -> None:
    again = Protocol.of_json(PROTOCOL.as_json())
    assert again == PROTOCOL
    assert again.id == PROTOCOL.id
    PROTOCOL.require_same(again)


@pytest.mark.parametrize(
    "changed",
    [
        {"terms": {"seeds": [0], "steps": 50}},
        {"metrics": {"temporal_flickering": "2"}},
        {"weights": {"lpips": "abd"}},
        {"name": "t2v/v2"},
    ],
)
def test_any_difference_refuses_the_comparison_and_is_named(changed: dict) -> None:
    other = dataclasses.replace(PROTOCOL, **changed)
    assert other.id != PROTOCOL.id
    with pytest.raises(ProtocolMismatch, match=r"here, .* there"):
        PROTOCOL.require_same(other)


def score(value: float | None, metric: str = "held_out_loss", protocol: Protocol = PROTOCOL) -> Score:
    return Score(metric, value, protocol, higher_is_better=metric != "held_out_loss")


def test_worse_is_positive_for_losses_and_for_scores() -> None:
    assert score(1.1).loss_against(score(1.0)) == pytest.approx(0.1)
    assert score(0.9).loss_against(score(1.0)) == pytest.approx(-0.1)
    assert score(0.9, "temporal_flickering").loss_against(score(1.0, "temporal_flickering")) == pytest.approx(0.1)
    assert score(0.5).loss_against(score(0.5)) == 0


def test_scores_of_different_protocols_or_metrics_do_not_compare() -> None:
    with pytest.raises(ProtocolMismatch, match="steps"):
        score(1.0).loss_against(score(1.0, protocol=Protocol("t2v/v1", {"steps": 50})))
    with pytest.raises(ProtocolMismatch, match="different metrics"):
        score(1.0).loss_against(score(1.0, "temporal_flickering"))


def test_a_missing_value_is_an_error_not_a_number() -> None:
    with pytest.raises(ValueError, match="has no value"):
        score(1.0).loss_against(score(None))


def test_scores_by_different_samplers_do_not_compare() -> None:
    evaluation = Evaluation(prompts=("a cat",), steps=20)
    ddim = protocols.generation(evaluation, "libx264")
    for change, told in (
        ({"sampler": "dpm_solver++"}, r"sampler: ddim here, dpm_solver\+\+ there"),
        ({"guidance_rescale": 0.7}, "guidance_rescale: absent here, 0.7 there"),
    ):
        other = protocols.generation(evaluation.model_copy(update=change), "libx264")
        with pytest.raises(ProtocolMismatch, match=told):
            ddim.require_same(other)


def test_protocols_from_before_there_was_a_choice_are_the_same_but_where_sampling_was_wrong() -> None:
    """20 steps visit the timesteps that they always did, 30 do not."""
    terms = protocols.generation(Evaluation(prompts=("a cat",), steps=20), "libx264").terms
    assert not {"guidance_rescale", "spacing"} & terms.keys()
    assert protocols.generation(Evaluation(prompts=("a cat",), steps=30), "libx264").terms["spacing"] == 2
