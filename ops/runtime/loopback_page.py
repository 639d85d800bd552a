"""A page of this machine for the person before it: served on loopback, guarded, and written to only with its token.

Whoever opens the page here may read it. What it sends is taken only with the token that this start made up and put into
the page, which another site's page in the same browser cannot read.
"""

from __future__ import annotations

import json
import secrets
import socket
from collections.abc import Callable, Sequence
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from ops.runtime.loopback import Guard

HOST = "127.0.0.1"
HOSTS = (HOST, "localhost")
TOKEN_HEADER = "X-Page-Token"
LARGEST_BODY = 1000  # bytes
TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; "
    "media-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class Refused(ValueError):
    """A request that is answered by no; `status` is HTTP's."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


def new_token() -> str:
    return secrets.token_urlsafe(32)


def application(routes: Sequence[Route]) -> Guard:
    """The pages at these routes, to those who ask for them by a name of this machine; `Refused` is answered as said."""
    return Guard(Starlette(routes=routes, exception_handlers={Refused: _answer}), HOSTS)


async def sent(request: Request, token: str) -> dict[str, Any]:
    """The JSON object that the page itself has sent.

    Raises:
        Refused: it came without the token, or is none, or longer than an answer can be.
    """
    if not secrets.compare_digest(request.headers.get(TOKEN_HEADER, "").encode(), token.encode()):
        raise Refused(403, "the page is of an earlier start, or not of this server at all: load it anew")
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_BODY:
            raise Refused(400, f"an answer has at most {LARGEST_BODY} bytes")
    try:
        value = json.loads(body)
    except ValueError:
        raise Refused(400, "expected JSON") from None
    if not isinstance(value, dict):
        raise Refused(400, "expected a JSON object")
    return value


def in_script(data: object) -> str:
    """JSON that may stand within a script element: only `<` could end the data early."""
    return json.dumps(data, allow_nan=False).replace("<", "\\u003c")


def serve(app: Guard, port: int, ready: Callable[[str], None]) -> None:
    """Serve until Ctrl-C; `ready` is told the address as soon as it answers. Port 0 takes a free one.

    Raises:
        ValueError: the port is in use.
    """
    with _listening(port) as listener:
        settings = uvicorn.Config(
            app, timeout_graceful_shutdown=2, log_level="warning", lifespan="off", server_header=False
        )
        server = uvicorn.Server(settings)
        ready(f"http://{HOST}:{listener.getsockname()[1]}/")
        try:
            server.run(sockets=[listener])
        except KeyboardInterrupt:
            return


def _listening(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError:
        listener.close()
        raise ValueError(f"port {port} is in use; choose another with --port") from None
    listener.listen()
    return listener


def _answer(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return PlainTextResponse(str(error), error.status, headers=HEADERS)
