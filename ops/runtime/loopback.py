"""The guard of web pages that have no login: who may ask them, and who may change anything through them.

A page on loopback is reached by every web site that is open in a browser on the same machine. The browser says which
name it was asked for (Host) and which site asks (Origin), and neither can be made up by a site.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

HOSTS = ("127.0.0.1", "localhost", "[::1]")
SAFE = ("GET", "HEAD", "OPTIONS")
POLICY_VIOLATION = 1008
"""The code by which a WebSocket is closed (RFC 6455, 7.4.1)."""


class Guard:
    """An ASGI application around another one, for HTTP and WebSockets alike.

    Refused are: any name of this server but `hosts` (else a foreign name could be pointed here), every request that
    a page of another origin makes by script or form, and GraphQL by GET, which a mere link or picture can send.
    A link from another site to a page of this one is followed: it changes nothing.
    """

    def __init__(self, app: ASGIApp, hosts: Iterable[str] = HOSTS) -> None:
        self._app, self._hosts = app, frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket") and (why := self._objection(scope)):
            await _refuse(scope, receive, send, why)
        else:
            await self._app(scope, receive, send)

    def _objection(self, scope: Scope) -> str | None:
        headers = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"]]
        hosts = [value for name, value in headers if name == "host"]
        if len(hosts) != 1 or _name(hosts[0]) not in self._hosts:
            return f"this server is not called {', '.join(hosts) or 'nothing'}; open it as {sorted(self._hosts)[0]}"
        origins = [value for name, value in headers if name == "origin"]
        if any(urlsplit(origin).netloc.lower() != hosts[0].lower() for origin in origins):
            return f"pages of {', '.join(origins)} may not use this server"
        websocket = scope["type"] == "websocket"
        if websocket and not origins and _site(headers) == "cross-site":
            return "pages of other sites may not use this server"
        if not websocket and scope["method"] not in SAFE and _site(headers) in ("cross-site", "same-site"):
            return "pages of other sites may not use this server"
        if not websocket and scope["method"] != "POST" and _asks_graphql(scope):
            return "GraphQL is answered by POST only"
        return None


def _name(host: str) -> str:
    """The name in a Host header, without its port."""
    name, colon, port = host.lower().rpartition(":")
    return name if colon and port.isdigit() else host.lower()


def _site(headers: list[tuple[str, str]]) -> str:
    """Whose page asks, as newer browsers say it."""
    return next((value for name, value in headers if name == "sec-fetch-site"), "")


def _asks_graphql(scope: Scope) -> bool:
    return scope["path"].rstrip("/").endswith("/graphql") and "query" in parse_qs(
        scope["query_string"].decode("latin-1"), keep_blank_values=True
    )


async def _refuse(scope: Scope, receive: Receive, send: Send, why: str) -> None:
    if scope["type"] == "websocket":
        await receive()  # the request to connect; closing in answer to it is a refusal
        await send({"type": "websocket.close", "code": POLICY_VIOLATION, "reason": why[:100]})
        return
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"x-content-type-options", b"nosniff")]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": why.encode()})
