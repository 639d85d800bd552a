"""Pictures and short films on the Dagster page, seen without a click.

The page shows Markdown at once only if it is short, so a picture cannot lie in it; an address can. Pictures are kept in
`var/pictures/` by their content, so that an older materialisation goes on showing what it made, and `soraflow up`
serves them beside Dagster's own pages. Dagster's own server does not: there a picture is the name of its file.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg

from ops.runtime.files import replacing, sha256
from ops.runtime.project import Project

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

ADDRESS = "/soraflow/pictures"
FORMATS = {".png": "image/png", ".webp": "image/webp"}
LARGEST = 5_000_000
"""Bytes; larger ones are named, not shown."""


def shown(project: Project, folder: Path) -> dict[str, dg.MetadataValue]:
    """Every picture directly in `folder`, by its name."""
    found = sorted(path for path in folder.iterdir() if path.suffix in FORMATS)
    return {path.stem: _shown(project, path) for path in found}


def _shown(project: Project, path: Path) -> dg.MetadataValue:
    if path.stat().st_size > LARGEST:
        return dg.MetadataValue.path(str(path))
    kept = folder_of(project) / f"{sha256(path)[:24]}{path.suffix}"
    if not kept.is_file():
        with replacing(kept) as temporary:
            shutil.copyfile(path, temporary)
    address = f"{ADDRESS}/{kept.name}"
    return dg.MetadataValue.md(f"[![{path.stem} ({kept.relative_to(project.root)})]({address})]({address})")


def folder_of(project: Project) -> Path:
    return project.var / "pictures"


def route(project: Project) -> Route:
    """Serves the pictures of a project, and nothing else that lies there."""
    from starlette.responses import FileResponse, PlainTextResponse
    from starlette.routing import Route

    def answer(request: Request) -> Response:
        name = Path(request.path_params["name"])
        path = folder_of(project) / name.name
        if name.suffix not in FORMATS or not path.is_file():
            return PlainTextResponse("no such picture", status_code=404)
        unchanging = {"Cache-Control": "private, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"}
        return FileResponse(path, media_type=FORMATS[name.suffix], headers=unchanging)

    return Route(f"{ADDRESS}/{{name}}", answer)
