"""Captions from a vision-language model behind an OpenAI-compatible server, such as vLLM."""

from __future__ import annotations

import base64
import io
import json
import os
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from http.client import HTTPException
from typing import TYPE_CHECKING, Any

import numpy as np

from ops.runtime.files import digest

if TYPE_CHECKING:
    from ops.data.captioners import Item

KEY = "SORAFLOW_CAPTION_KEY"
PASSING = {408, 409, 425, 429, 500, 502, 503, 504}
"""Statuses that another try may cure."""


class EndpointError(RuntimeError):
    """The server did not answer as agreed. Not the item's fault, so the step stops; its captions so far are kept."""


@dataclass(frozen=True)
class EndpointCaptioner:
    """Sends `frames` frames of at most `side` pixels a side as JPEG, and takes the answer's text.

    The key comes from the environment (SORAFLOW_CAPTION_KEY) and goes into the request's header only.
    """

    endpoint: str
    model: str
    prompt: str
    seed: int
    frames: int = 8
    side: int = 448
    max_tokens: int = 512
    timeout_seconds: float = 120.0
    tries: int = 4
    pause_seconds: float = 1.0
    workers: int = 8

    def identity(self) -> dict[str, Any]:
        asked = {"frames": self.frames, "side": self.side, "max_tokens": self.max_tokens, "seed": self.seed}
        return {"name": "endpoint", "model": self.model, "prompt": digest(self.prompt), **asked}

    def caption(self, item: Item) -> str:
        answer = self._post(self._request(item.frames(self.frames)))
        try:
            text = answer["choices"][0]["message"]["content"]
        except (KeyError, IndexError, TypeError):
            raise EndpointError(f"{self.endpoint} answered without a message: {str(answer)[:200]}") from None
        if not isinstance(text, str):
            raise EndpointError(f"{self.endpoint} answered with {type(text).__name__} in place of text")
        return text

    def _request(self, frames: list[np.ndarray]) -> dict[str, Any]:
        images = [{"type": "image_url", "image_url": {"url": _data_url(frame, self.side)}} for frame in frames]
        return {
            "model": self.model,
            "messages": [{"role": "user", "content": [*images, {"type": "text", "text": self.prompt}]}],
            "max_tokens": self.max_tokens,
            "temperature": 0,
            "seed": self.seed,
        }

    def _post(self, body: dict[str, Any]) -> Any:
        headers = {"Content-Type": "application/json"}
        if key := os.environ.get(KEY):
            headers["Authorization"] = f"Bearer {key}"
        url = f"{self.endpoint.rstrip('/')}/chat/completions"
        request = urllib.request.Request(url, json.dumps(body).encode(), headers)
        for attempt in range(1, self.tries + 1):
            try:
                with urllib.request.urlopen(request, timeout=self.timeout_seconds) as answer:
                    return json.load(answer)
            except urllib.error.HTTPError as error:
                problem = f"status {error.code}: {error.read(200).decode(errors='replace')}"
                if error.code not in PASSING:
                    raise EndpointError(f"{url} refuses: {problem}{_hint(error.code)}") from None
            except (OSError, HTTPException) as error:
                problem = f"{type(error).__name__}: {error}"
            except json.JSONDecodeError as error:
                raise EndpointError(f"{url} answered with something that is not JSON: {error}") from None
            if attempt < self.tries:
                time.sleep(self.pause_seconds * 2 ** (attempt - 1))
        raise EndpointError(f"{url} gave no answer in {self.tries} tries; the last said {problem}")


def _hint(status: int) -> str:
    return f" (its key is read from {KEY})" if status in (401, 403) else ""


def _data_url(frame: np.ndarray, side: int) -> str:
    from PIL import Image

    image = Image.fromarray(frame)
    image.thumbnail((side, side))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=90)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"
