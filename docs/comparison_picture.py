"""Takes the picture of docs/deciding.md: the top of a comparison, as Chromium shows it.

Run `soraflow compare A B -o page.html`, then `python docs/comparison_picture.py page.html`.
"""

from __future__ import annotations

import io
import shutil
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

PICTURE = Path(__file__).with_name("comparison.webp")
WIDTH, HEIGHT = 1180, 740
PLAYED = 0.4
"""Seconds of each video, after which the picture is taken."""


def main(page: Path) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        opened = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, reduced_motion="reduce")
        opened.goto(page.resolve().as_uri())
        opened.get_by_label("order").select_option("difference")
        opened.evaluate(f"document.querySelectorAll('video').forEach((video) => {{ video.currentTime = {PLAYED}; }})")
        opened.wait_for_timeout(1000)
        taken = opened.screenshot()
        browser.close()
    with Image.open(io.BytesIO(taken)) as picture:
        picture.convert("RGB").save(PICTURE, quality=90, method=6)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
