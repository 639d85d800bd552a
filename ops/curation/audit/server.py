"""The audit page, served on this machine only.

Whoever opens the page here may read it. Verdicts are written only with the token that this start made up and put into
the page: another site's page in the same browser cannot read it. Names other than this machine's own are refused, so
that no foreign name can be pointed here.
"""

from __future__ import annotations

import json
import secrets
import socket
from collections.abc import Callable
from functools import lru_cache
from importlib.resources import files

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from ops.curation.audit.preview import sheet
from ops.curation.audit.session import Audit
from ops.curation.audit.verdict_store import ENTRIES, AuditError

HOST = "127.0.0.1"
HOSTS = [HOST, "localhost"]
TOKEN_HEADER = "X-Audit-Token"
LARGEST_BODY = 1000  # bytes
KEPT_SHEETS = 64
TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def application(audit: Audit) -> Starlette:
    """The page at /, its parts under /web/, pictures under /clips/, and POST /verdicts."""
    token = secrets.token_urlsafe(32)
    web = {
        path.name: path.read_text(encoding="utf-8") for path in files("ops.curation.audit").joinpath("web").iterdir()
    }
    drawn = lru_cache(KEPT_SHEETS)(lambda clip_id: sheet(audit.project, audit.clips[clip_id], audit.preview(clip_id)))

    def page(request: Request) -> Response:
        # Within a script element only `<` could end the data early.
        data = json.dumps(audit.page(token), allow_nan=False).replace("<", "\\u003c")
        return Response(web["page.html"].replace("{{data}}", data), media_type="text/html", headers=HEADERS)

    def part(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in web or name == "page.html":
            return _refused(404, "there is no such file")
        return Response(web[name], media_type=TYPES[f".{name.rpartition('.')[2]}"], headers=HEADERS)

    def picture(request: Request) -> Response:
        clip_id = request.path_params["clip_id"]
        if clip_id not in audit.clips:
            return _refused(404, "the clip is not of this sample")
        try:
            found = drawn(clip_id)
        except (ValueError, OSError) as error:
            return _refused(422, f"This clip cannot be shown: {error}")
        return Response(found, media_type="image/jpeg", headers={**HEADERS, "Cache-Control": "private, max-age=600"})

    async def verdict(request: Request) -> Response:
        if not secrets.compare_digest(request.headers.get(TOKEN_HEADER, "").encode(), token.encode()):
            return _refused(403, "the page is of an earlier start of the audit, or not of it at all: load it anew")
        body = await _body(request)
        try:
            sent = json.loads(body)
            clip_id, entry = sent["clip_id"], sent["verdict"]
        except (ValueError, KeyError, TypeError):
            return _refused(400, 'expected {"clip_id": …, "verdict": …}')
        if not (isinstance(clip_id, str) and clip_id in audit.clips and entry in ENTRIES):
            return _refused(400, f"no clip of this sample, or a verdict other than {', '.join(ENTRIES)}")
        return JSONResponse({"time": audit.judge(clip_id, entry).time}, headers=HEADERS)

    return Starlette(
        routes=[
            Route("/", page),
            Route("/web/{name}", part),
            Route("/clips/{clip_id}.jpg", picture),
            Route("/verdicts", verdict, methods=["POST"]),
        ],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=HOSTS, www_redirect=False)],
    )


def serve(audit: Audit, port: int, ready: Callable[[str], None]) -> None:
    """Serve until Ctrl-C; `ready` is told the address as soon as it answers. Port 0 takes a free one.

    Raises:
        AuditError: the port is in use, or another audit of this project is open.
    """
    with audit.store.writing(), _listening(port) as listener:
        settings = uvicorn.Config(
            application(audit), timeout_graceful_shutdown=2, log_level="warning", lifespan="off", server_header=False
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
        raise AuditError(f"port {port} is in use; choose another with --port") from None
    listener.listen()
    return listener


async def _body(request: Request) -> bytes:
    """The request's body, or nothing if it is longer than a verdict can be."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_BODY:
            return b""
    return body


def _refused(status: int, why: str) -> Response:
    return PlainTextResponse(why, status, headers=HEADERS)
