"""Both pages of a comparison in a real browser, on a wide and on a narrow screen."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from playwright.sync_api import Browser, Page, expect

from ops.evaluation.preferences import Preferences, model_id
from ops.release.comparison.blind import Sitting
from ops.release.comparison.comparison import Comparison, compare
from ops.release.comparison.page import write_comparison
from ops.release.comparison.server import application
from ops.runtime.project import Project

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]
SIZES = {"wide": (1400, 900), "narrow": (375, 800)}
EVIL = "<b onmouseover='alert(1)'>a prompt</b><script>document.title = 'owned'</script>"
BEYOND = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture
def comparison(project: Project, models, named, kept_by) -> Comparison:
    kept = {(EVIL, 0): True, **kept_by(0.5, prompts=7, seeds=1)}
    better = {**kept, ("prompt 5", 0): True, ("prompt 0", 0): False}
    named(one=models.make(1, kept), two=models.make(2, better, learning_rate=3e-4))
    found = compare(project, ["one", "two"])
    write_comparison(found, project.root / "page.html")
    return found


@pytest.fixture(params=list(SIZES))
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A fresh page that may not complain; how it looks is kept when SORAFLOW_SCREENSHOTS names a folder."""
    width, height = SIZES[request.param]
    complaints: list[str] = []
    with browser.new_context(viewport={"width": width, "height": height}) as context:
        context.set_default_timeout(20_000)
        opened = context.new_page()
        opened.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        opened.on("pageerror", lambda error: complaints.append(str(error)))
        yield opened
        if folder := os.environ.get("SORAFLOW_SCREENSHOTS"):
            opened.screenshot(path=Path(folder) / f"{request.node.name}.png", full_page=True)
    assert complaints == []


def prompts(page: Page) -> list[str]:
    return page.locator(".row:visible").evaluate_all("rows => rows.map((row) => row.getAttribute('aria-label'))")


def test_videos_play_together_are_sorted_and_filtered_by_keys_alone(
    page: Page, comparison: Comparison, project: Project
) -> None:
    page.goto((project.root / "page.html").as_uri())
    first = page.locator(".row").first.locator("video")
    page.wait_for_function("() => document.querySelector('video').currentTime > 0")
    times = first.evaluate_all("both => both.map((one) => one.currentTime)")
    assert abs(times[0] - times[1]) < 0.15
    assert page.title() != "owned"
    assert prompts(page)[0] == f"{EVIL}, seed 0"
    assert page.evaluate(BEYOND) <= 0

    page.locator("body").press("Space")
    expect(page.locator("#play")).to_have_text("Play")
    assert page.evaluate("[...document.querySelectorAll('video')].every((one) => one.paused)")
    page.get_by_label("order").select_option("better")
    assert prompts(page)[0] == "prompt 5, seed 0"
    assert prompts(page)[-1] == "prompt 0, seed 0"
    page.get_by_label("order").select_option("difference")
    assert set(prompts(page)[:2]) == {"prompt 5, seed 0", "prompt 0, seed 0"}
    page.locator("#metric").select_option("truth_colour")
    expect(page.locator(".value").first).to_have_text("truth_colour 1")
    page.get_by_label("prompts with").fill("prompt 3")
    assert prompts(page) == ["prompt 3, seed 0"]
    page.get_by_label("prompts with").fill("")

    page.locator("body").click(position={"x": 2, "y": 2})
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(page.locator(".row").nth(1)).to_be_focused()
    page.locator(".row").nth(1).get_by_role("button", name="Enlarge").press("Enter")
    expect(page.locator(".row").nth(1)).to_contain_class("large")
    assert page.evaluate(BEYOND) <= 0


def test_every_control_and_picture_of_the_page_has_a_name(page: Page, comparison: Comparison, project: Project) -> None:
    page.goto((project.root / "page.html").as_uri())
    nameless = page.evaluate(
        """() => [...document.querySelectorAll("button, input, select, video, svg")].filter((one) =>
            !one.getAttribute("aria-label") && !one.textContent.trim() && !(one.labels ?? []).length
        ).map((one) => one.outerHTML)"""
    )
    assert nameless == []


@pytest.fixture
def blind(comparison: Comparison, project: Project) -> Iterator[tuple[str, Sitting]]:
    """The served page: its address and the sitting behind it."""
    sitting = Sitting.of(comparison.subjects)
    config = uvicorn.Config(
        application(sitting, project.root / "page.html"), port=0, log_level="warning", lifespan="off"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        thread.join(0.05)
        assert thread.is_alive()
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}", sitting
    server.should_exit = True
    thread.join()


def test_a_person_judges_blind_by_keys_and_sees_what_came_of_it(page: Page, blind, project: Project) -> None:
    address, sitting = blind
    page.goto(f"{address}/blind")
    expect(page.locator("#progress")).to_have_text("0 of 8 judged")
    page.wait_for_function("() => document.getElementById('right').currentTime > 0")
    assert page.evaluate(BEYOND) <= 0
    for trial in sitting.trials[:7]:
        expect(page.locator("#prompt")).to_have_text(trial.prompt)
        page.keyboard.press("ArrowLeft" if trial.turned else "ArrowRight")  # the second model's
        expect(page.locator("#progress")).to_have_text(f"{trial.number + 1} of 8 judged")
    page.keyboard.press("u")
    expect(page.locator("#progress")).to_have_text("6 of 8 judged")
    page.keyboard.press("ArrowDown")
    expect(page.locator("#progress")).to_have_text("7 of 8 judged")
    page.keyboard.press("e")
    expect(page.locator("#said")).to_have_text("model two preferred to model one: 100% [61%, 100%], 6 of 6, 1 alike")
    assert page.title() == "Which is better?"
    ids = [model_id(each.parts) for each in (sitting.first, sitting.second)]
    assert Preferences(project).between(ids[0], ids[1]).counts == (6, 0, 1)
    page.get_by_role("button", name="Go on").click()
    expect(page.locator("#prompt")).to_have_text(sitting.trials[7].prompt)
    page.get_by_role("button", name="No difference").click()
    expect(page.locator("#said")).to_be_visible()
    page.get_by_role("link", name="The comparison").click()
    expect(page.locator("h1")).to_contain_text("model two against model one")
    page.wait_for_function("() => document.querySelector('video').currentTime > 0")
