"""Captions from a vision-language model behind an OpenAI-compatible server, such as vLLM.

Servers fail in many ways, and a run of days must outlive most of them. What another try may cure (busy, broken or
silent servers, cut connections, answers that are no answers) is tried again, with growing pauses. What concerns one
item only costs that item its caption. What concerns all of them (a wrong address, key or model, or one item after the
other without a caption) ends the step; its captions so far are kept.
"""

from __future__ import annotations

import base64
import io
import json
import os
import random
import ssl
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from typing import TYPE_CHECKING, NoReturn

import httpx

from ops.data.captioning.base import Item, NoCaption, Written
from ops.data.captioning.pictures import pictures
from ops.data.captioning.prompts import Prompts
from ops.runtime.files import Document

if TYPE_CHECKING:
    from PIL.Image import Image

KEY = "SORAFLOW_CAPTION_KEY"
PASSING = {408, 409, 425, 429, 500, 502, 503, 504, 529}
"""Statuses that another try may cure."""
OF_THE_ITEM = {400, 413, 415, 422}
"""Statuses that say something about this request; the next one may be fine."""
LONGEST_PAUSE = 300.0
"""Seconds; a server that asks for more is asked again after this."""
LONGEST_ANSWER = 4 * 2**20
"""Bytes; a caption has a few thousand."""
LONGEST_REFUSAL = 200
"""Bytes of what a server says when it refuses."""


class EndpointError(RuntimeError):
    """The server does not answer as agreed. Not an item's fault, so the step stops; its captions so far are kept."""


class _Again(Exception):
    """This try has failed, and another may not; `pause` is how long the server wants to be left alone."""

    def __init__(self, problem: str, pause: float = 0.0) -> None:
        super().__init__(problem)
        self.pause = pause


@dataclass
class _Luck:
    """How many items in a row went without a caption; shared by the threads of a captioner."""

    failures: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    over: threading.Event = field(default_factory=threading.Event)
    """Set when the step is lost, so that nobody waits for another try."""


@dataclass(frozen=True)
class EndpointCaptioner:
    """Sends `frames` frames of at most `side` pixels a side as JPEG, and takes the answer's text.

    The key comes from the environment (SORAFLOW_CAPTION_KEY) and goes into the request's header only. The settings
    below `max_tokens` are those of `captions.requests`.
    """

    endpoint: str
    model: str
    prompts: Prompts
    seed: int
    frames: int = 8
    side: int = 448
    max_tokens: int = 512
    workers: int = 8
    timeout_seconds: float = 120.0
    tries: int = 4
    pause_seconds: float = 1.0
    give_up_after: int = 16
    input_price: float | None = None
    output_price: float | None = None
    batch_size: int = 1
    _luck: _Luck = field(default_factory=_Luck, repr=False, compare=False)

    def identity(self) -> dict[str, object]:
        asked = {"frames": self.frames, "side": self.side, "max_tokens": self.max_tokens, "seed": self.seed}
        return {"name": "endpoint", "model": self.model, **self.prompts.identity(), **asked}

    def write(self, items: Sequence[Item]) -> list[Written | NoCaption]:
        """
        Raises:
            EndpointError: the server refuses everybody, or `give_up_after` items in a row went without a caption.
        """
        return [self._outcome(item) for item in items]

    def _outcome(self, item: Item) -> Written | NoCaption:
        try:
            body = self._request(self.prompts.of_item(item), pictures(item, self.frames, self.side))
        except NoCaption as reason:  # of the file; it says nothing about the server
            return reason
        try:
            written = self._asked(body, random.Random(f"{self.seed}:{item.item_id}"))
        except NoCaption as reason:
            self._count_failure(reason)
            return reason
        except EndpointError:
            self._luck.over.set()
            raise
        with self._luck.lock:
            self._luck.failures = 0
        return written

    def _count_failure(self, reason: NoCaption) -> None:
        with self._luck.lock:
            self._luck.failures += 1
            failures = self._luck.failures
        if failures >= self.give_up_after:
            self._luck.over.set()
            raise EndpointError(f"{failures} items in a row went without a caption; the last because {reason}")

    def _request(self, prompt: str, shown: Sequence[Image]) -> bytes:
        images = [{"type": "image_url", "image_url": {"url": _data_url(picture)}} for picture in shown]
        body = {
            "model": self.model,
            "messages": [{"role": "user", "content": [*images, {"type": "text", "text": prompt}]}],
            "max_tokens": self.max_tokens,
            "temperature": 0,
            "seed": self.seed,
        }
        return json.dumps(body).encode()

    def _asked(self, body: bytes, chance: random.Random) -> Written:
        """Pauses grow twofold and differ by up to a quarter, so that many requests do not come back at once."""
        for attempt in range(1, self.tries + 1):
            try:
                return self._written(self._answer(body))
            except _Again as error:
                problem, wanted = str(error), error.pause
            if attempt < self.tries:
                pause = self.pause_seconds * 2 ** (attempt - 1) * (1 + chance.random() / 4)
                if self._luck.over.wait(min(max(pause, wanted), LONGEST_PAUSE)):
                    raise EndpointError(f"{self.endpoint} was given up; the last it said was: {problem}")
        raise NoCaption(f"{self.endpoint} gave no caption in {self.tries} tries; at last {problem}")

    def _answer(self, body: bytes) -> Document:
        """The answer's JSON.

        Raises:
            _Again, NoCaption, EndpointError: as the statuses above say.
        """
        url, deadline = f"{self.endpoint.rstrip('/')}/chat/completions", time.monotonic() + self.timeout_seconds
        try:
            with _client().stream(
                "POST", url, content=body, headers=_headers(), timeout=self.timeout_seconds
            ) as answer:
                if not answer.is_success:
                    self._refused(answer, deadline)
                content = _content(answer, deadline)
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise EndpointError(
                f"captions.endpoint is {self.endpoint!r}, which is no server's address: {error}"
            ) from None
        except httpx.TransportError as error:
            raise _Again(f"{type(error).__name__}: {error}") from None
        try:
            told: Document = json.loads(content)  # `_written` notices one that is no object
        except (ValueError, RecursionError) as error:
            raise _Again(f"answered with something that is not JSON: {error}") from None
        return told

    def _refused(self, answer: httpx.Response, deadline: float) -> NoReturn:
        status = answer.status_code
        problem = f"status {status}: {_refusal(answer, deadline)}"
        if status in PASSING:
            raise _Again(problem, _retry_after(answer.headers))
        if status in OF_THE_ITEM:
            raise NoCaption(f"{self.endpoint} does not take it: {problem}")
        hint = f" (its key is read from {KEY})" if status in (401, 403) else ""
        raise EndpointError(f"{self.endpoint}/chat/completions refuses: {problem}{hint}")

    def _written(self, answer: Document) -> Written:
        try:
            choice = answer["choices"][0]
            text = _text(choice["message"]["content"])
        except (KeyError, IndexError, TypeError):
            raise _Again(f"answered without a message: {str(answer)[:200]}") from None
        if not text.strip():
            raise _Again("answered with an empty text")
        usage = answer.get("usage")
        asked, answered = _count(usage, "prompt_tokens"), _count(usage, "completion_tokens")
        cut = choice.get("finish_reason") == "length"
        note = f"the model was stopped after max_tokens ({self.max_tokens})" if cut else None
        return Written(text, asked, answered, self._cost(asked, answered), note)

    def _cost(self, input_tokens: int | None, output_tokens: int | None) -> float | None:
        if input_tokens is None or output_tokens is None or self.input_price is None or self.output_price is None:
            return None
        return (input_tokens * self.input_price + output_tokens * self.output_price) / 1e6


@cache
def _client() -> httpx.Client:
    """One for all threads, which so share its open connections. It follows no redirect, which would carry the key to
    another server, and trusts whom this machine trusts, not a list of its own."""
    limits = httpx.Limits(max_connections=None)  # `captions.requests.workers` says how many there are
    return httpx.Client(verify=ssl.create_default_context(), limits=limits, follow_redirects=False)


def _headers() -> dict[str, str]:
    headers = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
    if key := os.environ.get(KEY, "").strip():
        if not (key.isascii() and key.isprintable()):  # said here, for HTTP's own error would show the key
            raise EndpointError(f"{KEY} holds characters that no header can carry: set it to the key alone")
        headers["Authorization"] = f"Bearer {key}"
    return headers


def _content(answer: httpx.Response, deadline: float) -> bytes:
    """All of an answer that arrives in time: a server that sends a byte now and then does not hold us for ever."""
    parts, size = [], 0
    for part in answer.iter_raw():
        parts.append(part)
        size += len(part)
        if time.monotonic() > deadline:
            raise _Again("the answer did not end in time")
        if size > LONGEST_ANSWER:
            raise _Again(f"answered with more than {LONGEST_ANSWER} bytes")
    return b"".join(parts)


def _refusal(answer: httpx.Response, deadline: float) -> str:
    """The beginning of what a server says with a bad status, as far as it comes: the status alone decides."""
    said = b""
    with suppress(httpx.TransportError):
        for part in answer.iter_raw():
            said += part
            if len(said) >= LONGEST_REFUSAL or time.monotonic() > deadline:
                break
    return said[:LONGEST_REFUSAL].decode(errors="replace")


def _retry_after(headers: httpx.Headers) -> float:
    """Seconds that the server asks for, as a number or as a time; 0 where it asks for nothing readable."""
    asked = headers.get("Retry-After", "")
    try:
        return max(0.0, float(asked))
    except ValueError:
        pass
    try:
        until = parsedate_to_datetime(asked)
    except ValueError:
        return 0.0
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(0.0, (until - datetime.now(UTC)).total_seconds())


def _text(content: str | list[Document]) -> str:
    """Of a message: a text, or the texts among its parts."""
    if isinstance(content, str):
        return content
    return "".join(part["text"] for part in content if part["type"] == "text")


def _count(usage: object, name: str) -> int | None:
    found = usage.get(name) if isinstance(usage, dict) else None
    return found if isinstance(found, int) and found >= 0 else None


def _data_url(picture: Image) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=90)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"
