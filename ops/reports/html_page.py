"""Pages of one file, with their pictures inside: the frame around what they show, and its style."""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Iterable

STYLE = """\
:root { color-scheme: light dark; --ground: #f4f6f8; --card: #fff; --ink: #1f2233; --faint: #626b7b; --line: #dde2e8; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #12141b; --card: #1b1e28; --ink: #e8eaf0; --faint: #9aa3b5; --line: #2e3341; }
}
body { margin: 0 auto; max-width: 84rem; padding: 1.5rem; background: var(--ground); color: var(--ink);
  font: 15px/1.45 system-ui, "DejaVu Sans", sans-serif; }
h1 { font-size: 1.4rem; margin: 0; }
h2 { font-size: 1.1rem; margin: 2rem 0 .3rem; }
p { margin: 0 0 .6rem; color: var(--faint); }
img { max-width: 100%; height: auto; display: block; border-radius: .4rem; }
.drawn { background: #fff; padding: .8rem; border: 1px solid var(--line); border-radius: .8rem; margin-top: 1rem; }
.sheet { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 38rem), 1fr)); gap: 1rem; }
.sheet.images { grid-template-columns: repeat(auto-fill, minmax(min(100%, 15rem), 1fr)); }
figure { margin: 0; padding: .7rem; background: var(--card); border: 1px solid var(--line); border-radius: .7rem; }
figcaption { margin-top: .4rem; font-size: .85rem; color: var(--faint); overflow-wrap: anywhere; }
figcaption b { color: var(--ink); font-weight: 600; }
.unseen { padding: 2rem 1rem; text-align: center; color: var(--faint); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
.costs th:nth-child(n+3), .costs td:nth-child(n+3) { text-align: right; }
th, td { text-align: left; padding: .25rem 1.4rem .25rem 0; border-bottom: 1px solid var(--line); }
"""


def html_page(title: str, parts: Iterable[str], style: str = "", script: str = "") -> str:
    """The whole page, of parts that are HTML, with more style and a script of its own. The page forbids itself any
    other script, and everything that is not in it or beside it, whatever its parts may hold."""
    programs = f"<script>{script}</script>\n" if script else ""
    return (
        "<!doctype html>\n<html lang='en'>\n<meta charset='utf-8'>\n"
        f'<meta http-equiv="Content-Security-Policy" content="{_policy(script)}">\n'
        f"<meta name='viewport' content='width=device-width, initial-scale=1'>\n<title>{text(title)}</title>\n"
        f"<link rel='icon' href='data:,'>\n<style>\n{STYLE}{style}</style>\n"
        + "\n".join(parts)
        + f"\n{programs}</html>\n"
    )


def _policy(script: str) -> str:
    allowed = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    scripts = f"'sha256-{allowed}'" if script else "'none'"
    return (
        f"default-src 'none'; script-src {scripts}; style-src 'unsafe-inline'; img-src data:; media-src data: 'self' "
        "file:; base-uri 'none'; form-action 'none'"
    )


def image(content: bytes, kind: str, about: str) -> str:
    """A picture, `kind` being png or jpeg; `about` says what is on it to who cannot see it."""
    return f"<img alt='{text(about)}' src='data:image/{kind};base64,{base64.b64encode(content).decode()}'>"


def text(words: str) -> str:
    return html.escape(words)
