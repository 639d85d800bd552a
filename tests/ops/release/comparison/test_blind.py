"""The blind mode: what is shown does not tell whose it is, and what is said is written down."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

import pytest
from starlette.testclient import TestClient

from ops.evaluation.preferences import Preferences, model_id
from ops.release.comparison.blind import Sitting
from ops.release.comparison.comparison import compare
from ops.release.comparison.page import write_comparison
from ops.release.comparison.server import application, serve
from ops.runtime.loopback_page import TOKEN_HEADER
from ops.runtime.project import Project

HOME = "http://127.0.0.1"


@pytest.fixture
def sitting(project: Project, models, named, kept_by) -> Sitting:
    named(one=models.make(1, kept_by(0.5)), two=models.make(2, kept_by(1.0)))
    found = compare(project, ["one", "two"])
    write_comparison(found, project.root / "page.html")
    return Sitting.of(found.subjects)


@pytest.fixture
def client(sitting: Sitting, project: Project) -> TestClient:
    return TestClient(application(sitting, project.root / "page.html"), base_url=HOME)


def embedded(client: TestClient) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', client.get("/blind").text, re.DOTALL)
    assert found is not None
    data: dict[str, Any] = json.loads(found[1])
    return data


def test_order_and_sides_are_drawn_and_another_sitting_draws_anew(sitting: Sitting) -> None:
    trials, again = sitting.trials, Sitting(sitting.first, sitting.second, sitting.store, sitting.seed).trials
    assert len(trials) == 24
    assert trials == again
    other = Sitting(sitting.first, sitting.second, sitting.store).trials
    assert [each.first_content for each in other] != [each.first_content for each in trials]
    turned = Counter(each.turned for each in trials)
    assert 4 <= turned[True] <= 20
    for trial in trials:
        left, _ = trial.sides
        assert trial.choice("left") == ("second" if left == trial.second else "first")
        assert trial.choice("right") != trial.choice("left")


def test_equal_videos_are_no_trial(project: Project, models, named, kept_by) -> None:
    named(one=models.make(1, kept_by(0.5)), two=models.make(2, kept_by(0.5), fps=16))
    subjects = compare(project, ["one", "two"]).subjects
    for video in subjects[0].videos:
        video.path.unlink()
    with pytest.raises(ValueError, match="no two videos of one prompt and seed are here that differ"):
        Sitting.of(subjects)
    with pytest.raises(ValueError, match="name two models, not 1"):
        Sitting.of(subjects[:1])


def test_the_page_does_not_know_which_model_is_which(client: TestClient, sitting: Sitting) -> None:
    page = client.get("/blind")
    told = page.text + client.get("/web/blind.js").text
    for secret in ("model one", "model two", "turned", sitting.trials[0].first_content, "step_0000"):
        assert secret not in told
    assert sorted(embedded(client)["prompts"]) == sorted(trial.prompt for trial in sitting.trials)
    left, right = (client.get(f"/trials/0/{side}.mp4") for side in ("left", "right"))
    assert [left.content, right.content] == [path.read_bytes() for path in sitting.trials[0].sides]
    assert not {"content-disposition"} & set(left.headers)
    assert client.get("/trials/24/left.mp4").status_code == 404
    assert client.get("/trials/0/middle.mp4").status_code == 404


def test_an_answer_is_of_a_model_and_the_gate_reads_it(client: TestClient, sitting: Sitting, project: Project) -> None:
    token = embedded(client)["token"]
    for number in range(8):
        better = "left" if sitting.trials[number].turned else "right"  # the second model's, every time
        sent = {"trial": number, "side": better}
        assert client.post("/answers", json=sent, headers={TOKEN_HEADER: token}).status_code == 200
    client.post("/answers", json={"trial": 8, "side": "neither"}, headers={TOKEN_HEADER: token})
    client.post("/answers", json={"trial": 7, "side": "undo"}, headers={TOKEN_HEADER: token})
    ids = [model_id(each.parts) for each in (sitting.first, sitting.second)]
    assert Preferences(project).between(ids[0], ids[1]).counts == (7, 0, 1)
    assert client.get("/result").json()["told"] == "100% [65%, 100%], 7 of 7, 1 alike"
    assert embedded(client)["answered"] == [0, 1, 2, 3, 4, 5, 6, 8]
    again = Sitting(sitting.first, sitting.second, Preferences(project), "another")
    assert len(again.standing()) == 8


@pytest.mark.parametrize("token", [None, "", "guess"])
def test_without_the_token_nothing_is_written(client: TestClient, sitting: Sitting, token: str | None) -> None:
    headers = {} if token is None else {TOKEN_HEADER: token}
    assert client.post("/answers", json={"trial": 0, "side": "left"}, headers=headers).status_code == 403
    assert sitting.standing() == {}


@pytest.mark.parametrize(
    "sent",
    [
        {},
        [],
        {"trial": 0},
        {"trial": 99, "side": "left"},
        {"trial": -1, "side": "left"},
        {"trial": True, "side": "left"},
    ],
)
def test_nonsense_is_refused(client: TestClient, sitting: Sitting, sent: object) -> None:
    token = embedded(client)["token"]
    assert client.post("/answers", json=sent, headers={TOKEN_HEADER: token}).status_code == 400
    assert sitting.standing() == {}


def test_other_names_origins_and_files_are_refused(client: TestClient) -> None:
    assert client.get("/", headers={"Host": "evil.example"}).status_code == 403
    assert client.get("/", headers={"Origin": "http://evil.example"}).status_code == 403
    for path in ("/web/blind.html", "/web/..%2Fserver.py", "/page_videos/..%2F..%2Fparams.yaml", "/page_videos/x.mp4"):
        assert client.get(path).status_code == 404
    assert "frame-ancestors" in client.get("/").headers["content-security-policy"]


def test_a_taken_port_is_an_error(sitting: Sitting, project: Project) -> None:
    import socket

    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(ValueError, match="in use; choose another with --port"):
            serve(sitting, project.root / "page.html", other.getsockname()[1], lambda _: None)
