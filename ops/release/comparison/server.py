"""The page of a comparison served on this machine, with its blind mode at /blind, which a static page cannot have: what
a person says is written down (`ops.runtime.loopback_page`)."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from ops.release.comparison.blind import SIDES, Sitting
from ops.runtime import loopback_page
from ops.runtime.loopback import Guard
from ops.runtime.loopback_page import HEADERS, TYPES, Refused, in_script, new_token, sent

PARTS = ("blind.css", "blind.js")
OWN_POLICY = {**HEADERS, "Content-Security-Policy": "frame-ancestors 'none'"}
"""Of the comparison, which says in itself what it may do."""


def application(sitting: Sitting, page: Path) -> Guard:
    """The comparison at /, its videos beside it, the blind mode at /blind with its videos by trial and side, and POST
    /answers."""
    token = new_token()
    web = files("ops.release.comparison").joinpath("web")
    texts = {name: web.joinpath(name).read_text(encoding="utf-8") for name in ("blind.html", *PARTS)}
    beside = page.with_name(f"{page.stem}_videos")

    def comparison(request: Request) -> Response:
        return FileResponse(page, media_type="text/html", headers=OWN_POLICY)

    def video_beside(request: Request) -> Response:
        return _video(beside / Path(request.path_params["name"]).name)

    def blind(request: Request) -> Response:
        told = {
            "token": token,
            "prompts": [trial.prompt for trial in sitting.trials],
            "answered": sorted(sitting.standing()),
        }
        text = texts["blind.html"].replace("{{data}}", in_script(told))
        return Response(text, media_type="text/html", headers=HEADERS)

    def part(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in PARTS:
            raise Refused(404, "there is no such file")
        return Response(texts[name], media_type=TYPES[f".{name.rpartition('.')[2]}"], headers=HEADERS)

    def side(request: Request) -> Response:
        number, name = request.path_params["number"], request.path_params["side"]
        if number >= len(sitting.trials) or name not in ("left", "right"):
            raise Refused(404, "there is no such video")
        return _video(sitting.trials[number].sides[name == "right"])

    async def answer(request: Request) -> Response:
        said = await sent(request, token)
        number, chosen = said.get("trial"), next((each for each in SIDES if each == said.get("side")), None)
        if not (type(number) is int and 0 <= number < len(sitting.trials) and chosen):
            raise Refused(400, f"no trial of this sitting, or an answer other than {', '.join(SIDES)}")
        sitting.answer(number, chosen)
        return JSONResponse({"answered": sorted(sitting.standing())}, headers=HEADERS)

    def result(request: Request) -> Response:
        found = sitting.result()
        told = {"second": sitting.second.label, "first": sitting.first.label, "told": str(found), "word": found.word}
        return JSONResponse(told, headers=HEADERS)

    return loopback_page.application(
        [
            Route("/", comparison),
            Route(f"/{beside.name}/{{name}}", video_beside),
            Route("/blind", blind),
            Route("/web/{name}", part),
            Route("/trials/{number:int}/{side}.mp4", side),
            Route("/answers", answer, methods=["POST"]),
            Route("/result", result),
        ]
    )


def serve(sitting: Sitting, page: Path, port: int, ready: Callable[[str], None]) -> None:
    """Serve until Ctrl-C; `ready` is told the address as soon as it answers. Port 0 takes a free one.

    Raises:
        ValueError: the port is in use, or another blind comparison of this project is open.
    """
    with sitting.store.writing():
        loopback_page.serve(application(sitting, page), port, ready)


def _video(path: Path) -> Response:
    if not path.is_file():
        raise Refused(404, f"{path.name} is gone")
    return FileResponse(path, media_type="video/mp4", headers=HEADERS)
