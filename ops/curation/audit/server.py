"""The audit page, served on this machine only (`ops.runtime.loopback_page`)."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ops.curation.audit.preview import sheet
from ops.curation.audit.session import Audit
from ops.curation.audit.verdict_store import ENTRIES
from ops.runtime import loopback_page
from ops.runtime.loopback import Guard
from ops.runtime.loopback_page import HEADERS, TYPES, Refused, in_script, new_token, sent

KEPT_SHEETS = 64


def application(audit: Audit) -> Guard:
    """The page at /, its parts under /web/, pictures under /clips/, and POST /verdicts."""
    token = new_token()
    web = {
        path.name: path.read_text(encoding="utf-8") for path in files("ops.curation.audit").joinpath("web").iterdir()
    }
    drawn = lru_cache(KEPT_SHEETS)(lambda clip_id: sheet(audit.project, audit.clips[clip_id], audit.preview(clip_id)))

    def page(request: Request) -> Response:
        text = web["page.html"].replace("{{data}}", in_script(audit.page(token)))
        return Response(text, media_type="text/html", headers=HEADERS)

    def part(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in web or name == "page.html":
            raise Refused(404, "there is no such file")
        return Response(web[name], media_type=TYPES[f".{name.rpartition('.')[2]}"], headers=HEADERS)

    def picture(request: Request) -> Response:
        clip_id = request.path_params["clip_id"]
        if clip_id not in audit.clips:
            raise Refused(404, "the clip is not of this sample")
        try:
            found = drawn(clip_id)
        except (ValueError, OSError) as error:
            raise Refused(422, f"This clip cannot be shown: {error}") from error
        return Response(found, media_type="image/jpeg", headers={**HEADERS, "Cache-Control": "private, max-age=600"})

    async def verdict(request: Request) -> Response:
        said = await sent(request, token)
        clip_id, entry = said.get("clip_id"), next((each for each in ENTRIES if each == said.get("verdict")), None)
        if not (isinstance(clip_id, str) and clip_id in audit.clips and entry):
            raise Refused(400, f"no clip of this sample, or a verdict other than {', '.join(ENTRIES)}")
        return JSONResponse({"time": audit.judge(clip_id, entry).time}, headers=HEADERS)

    return loopback_page.application(
        [
            Route("/", page),
            Route("/web/{name}", part),
            Route("/clips/{clip_id}.jpg", picture),
            Route("/verdicts", verdict, methods=["POST"]),
        ]
    )


def serve(audit: Audit, port: int, ready: Callable[[str], None]) -> None:
    """Serve until Ctrl-C; `ready` is told the address as soon as it answers. Port 0 takes a free one.

    Raises:
        ValueError: the port is in use, or another audit of this project is open.
    """
    with audit.store.writing():
        loopback_page.serve(application(audit), port, ready)
