"""The endpoint captioner against a real HTTP server on loopback that plays the model's part, well and badly."""

import base64
import io
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ops.data import captions
from ops.data.captioning import endpoint
from ops.data.captioning.base import Item, NoCaption, Written
from ops.data.captioning.endpoint import KEY, EndpointCaptioner, EndpointError
from ops.data.captioning.prompts import Prompts
from ops.runtime import tables
from ops.runtime.project import Project

PROMPTS = Prompts("Describe it.", "Describe the picture.", 'Rough: "{caption}", written: "{text}".')


def item(name: str = "clip", **fields: Any) -> Item:
    return Item(
        name, "video", "a.mp4", (), None, lambda count: [np.full((96, 640, 3), 200, np.uint8)] * count, **fields
    )


class FakeEndpoint(ThreadingHTTPServer):
    """Answers each request with the next of `answers` (the last one again and again) and remembers requests.

    An answer is (status, body) or (status, body, headers), or a function that is handed the request's handler.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), FakeHandler)
        self.answers: list[Any] = [(200, message("The video shows a rabbit"))]
        self.requests: list[tuple[str, dict[str, str], Any]] = []
        self.times: list[float] = []
        self.lock = threading.Lock()
        self.busy = self.busiest = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"

    def handle_error(self, *_: Any) -> None:
        """A client that hangs up is part of the game."""


class FakeHandler(BaseHTTPRequestHandler):
    server: FakeEndpoint

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        server = self.server
        with server.lock:
            server.busy += 1
            server.busiest = max(server.busiest, server.busy)
            server.requests.append((self.path, dict(self.headers), body))
            server.times.append(time.monotonic())
            answer = server.answers.pop(0) if len(server.answers) > 1 else server.answers[0]
        try:
            answer(self) if callable(answer) else self.reply(*answer)
        finally:
            with server.lock:
                server.busy -= 1

    def reply(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body if isinstance(body, bytes) else json.dumps(body).encode())

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the test's output clean."""


def message(text: Any, **more: Any) -> dict[str, Any]:
    return {"choices": [{"message": {"role": "assistant", "content": text}, **more.pop("choice", {})}], **more}


def hang_up(handler: FakeHandler) -> None:
    """Announce a long answer, begin it, and cut the connection."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"choices": [')
    handler.wfile.flush()
    handler.connection.shutdown(socket.SHUT_RDWR)


def reset(handler: FakeHandler) -> None:
    """Say nothing at all."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    handler.connection.close()


def drip(handler: FakeHandler) -> None:
    """One byte now and then: no single read is slow, but the answer would take a quarter of an hour."""
    handler.send_response(200)
    handler.end_headers()
    for _ in range(10_000):
        handler.wfile.write(b" ")
        handler.wfile.flush()
        time.sleep(0.1)


def sleep(handler: FakeHandler) -> None:
    time.sleep(2)
    handler.reply(200, message("too late"))


def flood(handler: FakeHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    for _ in range(100):
        handler.wfile.write(b"a" * 2**16)


@pytest.fixture
def server() -> Iterator[FakeEndpoint]:
    with FakeEndpoint() as fake:
        threading.Thread(target=fake.serve_forever, args=(0.02,), daemon=True).start()
        yield fake
        fake.shutdown()


@pytest.fixture
def captioner(server: FakeEndpoint, monkeypatch: pytest.MonkeyPatch) -> EndpointCaptioner:
    monkeypatch.delenv(KEY, raising=False)
    return EndpointCaptioner(server.url, "a-model", PROMPTS, seed=7, frames=3, pause_seconds=0.01, timeout_seconds=5)


def only(captioner: EndpointCaptioner, asked: Item | None = None) -> Written | NoCaption:
    (outcome,) = captioner.write([asked or item()])
    return outcome


def test_the_request_holds_prompt_and_frames(captioner: EndpointCaptioner, server: FakeEndpoint):
    assert only(captioner) == Written("The video shows a rabbit")
    path, headers, body = server.requests[0]
    assert path == "/v1/chat/completions"
    assert "Authorization" not in headers
    assert (body["model"], body["temperature"], body["seed"], body["max_tokens"]) == ("a-model", 0, 7, 512)
    *images, text = body["messages"][0]["content"]
    assert text == {"type": "text", "text": "Describe it."}
    assert len(images) == 3
    header, _, data = images[0]["image_url"]["url"].partition(",")
    assert header == "data:image/jpeg;base64"
    with Image.open(io.BytesIO(base64.b64decode(data))) as image:
        assert image.size == (448, 67)  # 640×96 within 448 pixels a side


@pytest.mark.parametrize(
    ("fields", "prompt"),
    [
        ({"collection": "people"}, "Describe the picture."),
        ({"collection": "text", "captions": ("a {text} shop",)}, "Describe the picture."),
        (
            {"collection": "text", "captions": ("a {text} shop",), "recognised_text": ("OPEN", 'say "hi"')},
            'Rough: "a {text} shop", written: "OPEN, say \'hi\'".',
        ),
        (
            {"collection": "text", "recognised_text": ("OPEN",)},
            'Describe the picture. "OPEN" can be recognized in the image.',
        ),
    ],
)
def test_images_are_asked_about_in_their_own_words(captioner, server: FakeEndpoint, fields, prompt):
    only(captioner, replace(item(), kind="image", **fields))
    assert server.requests[0][2]["messages"][0]["content"][-1]["text"] == prompt


def test_the_key_travels_in_the_header_and_shows_nowhere(
    captioner: EndpointCaptioner, server: FakeEndpoint, monkeypatch: pytest.MonkeyPatch, caplog: Any
):
    monkeypatch.setenv(KEY, "a-secret")
    only(captioner)
    assert server.requests[0][1]["Authorization"] == "Bearer a-secret"
    server.answers = [(401, b"who are you?")]
    with pytest.raises(EndpointError, match=f"status 401: who are you.*{KEY}") as caught:
        only(captioner)
    assert "a-secret" not in f"{caught.value}{captioner}{captioner.identity()}{caplog.text}"


def test_a_redirect_is_not_followed_with_the_key(captioner, server: FakeEndpoint, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(KEY, "a-secret")
    with FakeEndpoint() as other:
        server.answers = [(302, b"", {"Location": other.url})]
        with pytest.raises(EndpointError, match="status 302"):
            only(captioner)
        assert other.requests == []


@pytest.mark.parametrize("key", ["a-secret\nX-Other: 1", "schlüssel"])
def test_a_key_that_no_header_can_carry_is_refused_unsaid(captioner, server: FakeEndpoint, monkeypatch, key: str):
    monkeypatch.setenv(KEY, key)
    with pytest.raises(EndpointError, match=f"{KEY} holds characters that no header can carry") as caught:
        only(captioner)
    assert key not in str(caught.value)
    assert server.requests == []


def test_the_end_of_a_keys_line_is_no_part_of_it(captioner, server: FakeEndpoint, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(KEY, "a-secret\n")
    only(captioner)
    assert server.requests[0][1]["Authorization"] == "Bearer a-secret"


@pytest.mark.parametrize("address", ["localhost:8000/v1", "ftp://localhost/v1", "http://[::1/v1"])
def test_what_is_no_address_ends_the_step(captioner: EndpointCaptioner, address: str):
    with pytest.raises(EndpointError, match=r"captions\.endpoint is '.*', which is no server's address"):
        only(replace(captioner, endpoint=address))


def test_a_refusal_that_never_ends_is_still_one(captioner: EndpointCaptioner, server: FakeEndpoint):
    def dripping(handler: FakeHandler) -> None:
        handler.send_response(401)
        handler.end_headers()
        for _ in range(10_000):
            handler.wfile.write(b"x")
            handler.wfile.flush()
            time.sleep(0.05)

    server.answers = [dripping]
    with pytest.raises(EndpointError, match="status 401: xx"):
        only(replace(captioner, timeout_seconds=0.3))


def test_requests_share_a_connection(captioner: EndpointCaptioner, server: FakeEndpoint, monkeypatch):
    monkeypatch.setattr(FakeHandler, "protocol_version", "HTTP/1.1")
    ports = []

    def told(handler: FakeHandler) -> None:
        ports.append(handler.client_address[1])
        body = json.dumps(message("a bike")).encode()
        handler.reply(200, body, {"Content-Length": str(len(body))})

    server.answers = [told]
    captioner.write([item("one"), item("two"), item("three")])
    assert len(ports) == 3
    assert len(set(ports)) == 1


TROUBLES = [
    *((status, b"busy") for status in (408, 429, 500, 502, 503, 504)),
    *(hang_up, reset, flood),
    *((200, answer) for answer in ({"choices": []}, {"error": "x"}, message(None), message(" "), b"<html>", [1], b"")),
    (200, b"[" * 100_000),
]


@pytest.mark.parametrize("trouble", TROUBLES, ids=[str(number) for number in range(len(TROUBLES))])
def test_a_passing_trouble_is_tried_again(captioner: EndpointCaptioner, server: FakeEndpoint, trouble: Any):
    server.answers = [trouble, trouble, (200, message("a bike"))]
    assert only(captioner) == Written("a bike")
    assert len(server.requests) == 3


@pytest.mark.parametrize("slow", [sleep, drip])
def test_a_slow_server_runs_into_the_timeout(captioner: EndpointCaptioner, server: FakeEndpoint, slow: Any):
    server.answers = [slow, (200, message("a bike"))]
    assert only(replace(captioner, timeout_seconds=0.3)) == Written("a bike")
    assert len(server.requests) == 2


def test_a_silent_server_costs_the_item_its_caption(captioner: EndpointCaptioner):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/v1"
        outcome = only(replace(captioner, endpoint=url, timeout_seconds=0.2, tries=2))
    assert isinstance(outcome, NoCaption)
    assert re.search(r"no caption in 2 tries; at last .*[Tt]ime", str(outcome))


def test_a_lasting_trouble_ends_after_the_tries(captioner: EndpointCaptioner, server: FakeEndpoint):
    server.answers = [(503, b"overloaded")]
    assert "no caption in 4 tries; at last status 503: overloaded" in str(only(captioner))
    assert len(server.requests) == 4


def test_pauses_grow_and_are_as_long_as_the_server_asks(captioner, server: FakeEndpoint, monkeypatch):
    server.answers = [(500, b"")]
    only(replace(captioner, pause_seconds=0.1))
    pauses = np.diff(server.times)
    assert (pauses >= [0.1, 0.2, 0.4]).all()
    assert (pauses < [0.25, 0.4, 0.7]).all()

    server.times.clear()
    server.answers = [(429, b"", {"Retry-After": "0.4"}), (200, message("a bike"))]
    assert only(captioner) == Written("a bike")
    assert 0.4 <= np.diff(server.times)[0] < 0.8

    monkeypatch.setattr(endpoint, "LONGEST_PAUSE", 0.2)
    for asked in ("86400", format_datetime(datetime.now(UTC) + timedelta(days=1)), "soon", "-5"):
        server.times.clear()
        server.answers = [(429, b"", {"Retry-After": asked}), (200, message("a bike"))]
        assert only(captioner) == Written("a bike")
        assert np.diff(server.times)[0] < 0.5


@pytest.mark.parametrize("status", [403, 404, 405])
def test_a_refusal_of_everybody_ends_the_step(captioner: EndpointCaptioner, server: FakeEndpoint, status: int):
    server.answers = [(status, b"no such model")]
    with pytest.raises(EndpointError, match=f"refuses: status {status}: no such model"):
        only(captioner)
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_refusal_of_an_item_costs_its_caption(captioner: EndpointCaptioner, server: FakeEndpoint, status: int):
    server.answers = [(status, b"too large"), (200, message("a bike"))]
    refused, written = captioner.write([item("one"), item("two")])
    assert isinstance(refused, NoCaption)
    assert f"does not take it: status {status}: too large" in str(refused)
    assert written == Written("a bike")


def test_one_item_after_the_other_without_a_caption_ends_the_step(captioner, server: FakeEndpoint):
    server.answers = [(400, b"bad"), (200, message("fine")), (400, b"bad")]
    patient = replace(captioner, give_up_after=3)
    patient.write([item("first"), item("second"), item("third"), item("fourth")])
    with pytest.raises(EndpointError, match=r"3 items in a row went without a caption; the last because .* 400: bad"):
        patient.write([item("fifth")])


def test_tokens_and_their_cost_are_kept(captioner: EndpointCaptioner, server: FakeEndpoint):
    usage = {"usage": {"prompt_tokens": 2000, "completion_tokens": 100}}
    server.answers = [(200, message("a bike", **usage))]
    assert only(captioner) == Written("a bike", 2000, 100)
    priced = replace(captioner, input_price=0.5, output_price=2.0)
    assert only(priced) == Written("a bike", 2000, 100, pytest.approx(0.0012))
    server.answers = [(200, message("a bike", usage={"prompt_tokens": "many"}))]
    assert only(priced) == Written("a bike")


def test_a_caption_that_was_cut_says_so(captioner: EndpointCaptioner, server: FakeEndpoint):
    server.answers = [(200, message("a bike on", choice={"finish_reason": "length"}))]
    assert only(captioner) == Written("a bike on", note="the model was stopped after max_tokens (512)")


def test_an_answer_in_parts_is_put_together(captioner: EndpointCaptioner, server: FakeEndpoint):
    server.answers = [(200, message([{"type": "text", "text": "a "}, {"type": "text", "text": "bike"}]))]
    assert only(captioner) == Written("a bike")


def test_a_file_that_is_gone_costs_its_own_caption(captioner: EndpointCaptioner, server: FakeEndpoint):
    def gone(count: int) -> list[np.ndarray]:
        raise FileNotFoundError("a.mp4")

    impatient = replace(captioner, give_up_after=1)
    assert "cannot be read any more" in str(only(impatient, replace(item(), frames=gone)))
    assert server.requests == []


def test_another_prompt_is_another_captioner(captioner: EndpointCaptioner):
    identities: list[Callable[[], dict[str, Any]]] = [
        captioner.identity,
        replace(captioner, prompts=replace(PROMPTS, image="Other")).identity,
        replace(captioner, model="b").identity,
        replace(captioner, frames=4).identity,
    ]
    assert len({json.dumps(identity(), sort_keys=True) for identity in identities}) == 4
    elsewhere = replace(captioner, endpoint="http://elsewhere/v1", workers=1, tries=9, input_price=1.0)
    assert elsewhere.identity() == captioner.identity()


@pytest.fixture
def asking(curated: Project, server: FakeEndpoint, set_params: Callable[[str], Project]) -> Callable[..., Project]:
    """The curated project with this server as captioner."""

    def use(**requests: Any) -> Project:
        asked = {"pause_seconds": 0.01, "timeout_seconds": 5, "workers": 2, **requests}
        recipe = {"captioner": "endpoint", "endpoint": server.url, "model": "m", "frames": 2, "requests": asked}
        return set_params(json.dumps({"captions": recipe}))

    return use


def test_a_whole_step_survives_a_bad_day(asking, server: FakeEndpoint):
    usage = {"usage": {"prompt_tokens": 10, "completion_tokens": 5}}
    good = (200, message("The video shows a\n rabbit", **usage))
    server.answers = [(429, b"", {"Retry-After": "0"}), hang_up, good, (500, b""), (200, b"<html>"), good]
    project = asking(input_price=1.0, output_price=2.0)
    captions.captions(project)
    rows = tables.read(project.table("captions"))
    assert {(row["caption"], row["rejected_by"]) for row in rows} == {("A rabbit", None)}
    assert [(row["input_tokens"], row["output_tokens"]) for row in rows] == [(10, 5)] * 6
    assert sum(row["cost"] for row in rows) == pytest.approx(6 * 20e-6)
    identity = json.loads(rows[0]["captioner"])
    assert (identity["name"], identity["model"], len(identity["prompts"])) == ("endpoint", "m", 32)

    before = len(server.requests)
    first = project.table("captions").read_bytes()
    project.table("captions").unlink()
    captions.captions(project)
    assert len(server.requests) == before  # everything was remembered, tokens and cost too
    assert project.table("captions").read_bytes() == first


def test_no_more_requests_at_once_than_allowed(asking, server: FakeEndpoint):
    def slowly(handler: FakeHandler) -> None:
        time.sleep(0.1)
        handler.reply(200, message("a rabbit"))

    server.answers = [slowly]
    captions.captions(asking(workers=3))
    assert server.busiest == 3


def test_a_step_that_is_lost_ends_soon_and_keeps_what_it_has(asking, server: FakeEndpoint):
    server.answers = [(200, message("one")), (200, message("two")), (401, b"your money is spent")]
    project = asking(workers=1, pause_seconds=60)
    with pytest.raises(EndpointError, match="your money is spent"):
        captions.captions(project)
    assert not project.table("captions").exists()
    server.answers = [(200, message("other"))]
    captions.captions(project)
    found = [row["caption"] for row in tables.read(project.table("captions"))]
    assert found == ["one", "two", "other", "other", "other", "other"]


def test_captions_of_nothing_are_an_error(asking, server: FakeEndpoint):
    server.answers = [(400, b"bad")]
    with pytest.raises(captions.NothingCaptioned, match=r"none of 6 clips and images has a caption: 6 times: .*bad"):
        captions.captions(asking())


def test_a_line_that_a_killed_run_was_writing_is_written_anew(asking, server: FakeEndpoint):
    project = asking(workers=1)
    captions.captions(project)
    (memory,) = (project.var / "captions").glob("*.jsonl")
    memory.write_bytes(memory.read_bytes()[:-9])
    for expected in (7, 7):
        captions.captions(project)
        assert len(server.requests) == expected
