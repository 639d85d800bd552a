"""The endpoint captioner against a real HTTP server on loopback that plays the model's part."""

import base64
import io
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ops.data.caption_endpoint import KEY, EndpointCaptioner, EndpointError
from ops.data.captioners import Item

ITEM = Item("clip", "video", "a.mp4", (), None, lambda count: [np.full((96, 640, 3), 200, np.uint8)] * count)


class FakeEndpoint(ThreadingHTTPServer):
    """Answers each request with the next of `answers` (the last one again and again) and remembers requests."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), FakeHandler)
        self.answers: list[tuple[int, Any]] = [(200, message("The video shows a rabbit"))]
        self.requests: list[tuple[str, dict[str, str], Any]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"


class FakeHandler(BaseHTTPRequestHandler):
    server: FakeEndpoint

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append((self.path, dict(self.headers), body))
        answers = self.server.answers
        status, answer = answers.pop(0) if len(answers) > 1 else answers[0]
        self.send_response(status)
        self.end_headers()
        self.wfile.write(answer if isinstance(answer, bytes) else json.dumps(answer).encode())

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the test's output clean."""


def message(text: Any) -> dict[str, Any]:
    return {"choices": [{"message": {"role": "assistant", "content": text}}]}


@pytest.fixture
def server() -> Iterator[FakeEndpoint]:
    with FakeEndpoint() as fake:
        threading.Thread(target=fake.serve_forever, daemon=True).start()
        yield fake
        fake.shutdown()


@pytest.fixture
def captioner(server: FakeEndpoint, monkeypatch: pytest.MonkeyPatch) -> EndpointCaptioner:
    monkeypatch.delenv(KEY, raising=False)
    return EndpointCaptioner(server.url, "a-model", "Describe it.", seed=7, frames=3, pause_seconds=0.01)


def test_the_request_holds_prompt_and_frames(captioner: EndpointCaptioner, server: FakeEndpoint):
    assert captioner.caption(ITEM) == "The video shows a rabbit"
    path, headers, body = server.requests[0]
    assert path == "/v1/chat/completions"
    assert "Authorization" not in headers
    assert (body["model"], body["temperature"], body["seed"]) == ("a-model", 0, 7)
    *images, text = body["messages"][0]["content"]
    assert text == {"type": "text", "text": "Describe it."}
    assert len(images) == 3
    header, _, data = images[0]["image_url"]["url"].partition(",")
    assert header == "data:image/jpeg;base64"
    with Image.open(io.BytesIO(base64.b64decode(data))) as image:
        assert image.size == (448, 67)  # 640×96 within 448 pixels a side


def test_the_key_travels_in_the_header_and_shows_nowhere(
    captioner: EndpointCaptioner, server: FakeEndpoint, monkeypatch: pytest.MonkeyPatch, caplog: Any
):
    monkeypatch.setenv(KEY, "a-secret")
    captioner.caption(ITEM)
    assert server.requests[0][1]["Authorization"] == "Bearer a-secret"
    server.answers = [(401, b"who are you?")]
    with pytest.raises(EndpointError, match=f"status 401: who are you.*{KEY}") as caught:
        captioner.caption(ITEM)
    assert "a-secret" not in f"{caught.value}{captioner}{captioner.identity()}{caplog.text}"


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_passing_trouble_is_tried_again(captioner: EndpointCaptioner, server: FakeEndpoint, status: int):
    server.answers = [(status, b"busy"), (status, b"busy"), (200, message("a bike"))]
    assert captioner.caption(ITEM) == "a bike"
    assert len(server.requests) == 3


def test_a_lasting_trouble_ends_after_the_tries(captioner: EndpointCaptioner, server: FakeEndpoint):
    server.answers = [(503, b"overloaded")]
    with pytest.raises(EndpointError, match="no answer in 4 tries; the last said status 503: overloaded"):
        captioner.caption(ITEM)
    assert len(server.requests) == 4


def test_a_refusal_is_not_tried_again(captioner: EndpointCaptioner, server: FakeEndpoint):
    server.answers = [(404, b"no such model")]
    with pytest.raises(EndpointError, match="refuses: status 404: no such model"):
        captioner.caption(ITEM)
    assert len(server.requests) == 1


@pytest.mark.parametrize("answer", [{"choices": []}, {"error": "x"}, message(None), b"<html>", [1]])
def test_an_answer_without_text_is_an_error(captioner: EndpointCaptioner, server: FakeEndpoint, answer: Any):
    server.answers = [(200, answer)]
    with pytest.raises(EndpointError, match="answered"):
        captioner.caption(ITEM)


def test_a_silent_server_runs_into_the_timeout(captioner: EndpointCaptioner, monkeypatch: pytest.MonkeyPatch):
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/v1"
        impatient = replace(captioner, endpoint=url, timeout_seconds=0.2, tries=2)
        with pytest.raises(EndpointError, match=r"no answer in 2 tries; the last said .*[Tt]ime"):
            impatient.caption(ITEM)


def test_another_prompt_is_another_captioner(captioner: EndpointCaptioner):
    identities: list[Callable[[], dict[str, Any]]] = [
        captioner.identity,
        replace(captioner, prompt="Other").identity,
        replace(captioner, model="b").identity,
    ]
    assert len({json.dumps(identity(), sort_keys=True) for identity in identities}) == 3
    assert replace(captioner, endpoint="http://elsewhere/v1").identity() == captioner.identity()
