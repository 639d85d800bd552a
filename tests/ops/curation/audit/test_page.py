"""The audit page in a real browser: keys, precision, sliders, and who may write."""

from __future__ import annotations

import os
import random
import re
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from ops.config import Curation, merge
from ops.curation.audit.precision import estimate
from ops.curation.audit.retention import outcome
from ops.curation.audit.session import Audit
from ops.runtime.project import Project
from ops.runtime.tables import Row

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

SAMPLE, SEED = 14, 3
TECHNICAL = "curation.rules.technical.maximum"


@dataclass(frozen=True)
class Served:
    """The command at work: its address, its process, and the same audit as Python sees it."""

    address: str
    process: subprocess.Popen[str]
    audit: Audit

    def end(self) -> str:
        """Press Ctrl-C; what the command said at the end."""
        self.process.send_signal(signal.SIGINT)
        output, _ = self.process.communicate(timeout=30)
        return output


@pytest.fixture
def served(audited: Project) -> Iterator[Served]:
    argv = [str(Path(sys.executable).parent / "soraflow"), "curate", "audit", "--no-browser", "--port", "0"]
    argv += ["--sample", str(SAMPLE), "--seed", str(SEED)]
    process = subprocess.Popen(
        argv,
        env={**os.environ, "SORAFLOW_PROJECT": str(audited.root)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert process.stdout is not None
        said = ""
        while not (found := re.search(r"http://127\.0\.0\.1:\d+/", said)):
            line = process.stdout.readline()
            assert line, said
            said += line
        yield Served(found[0], process, Audit.of(audited, SAMPLE, SEED))
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def complaints() -> list[str]:
    """What the page must not do: fail, break its own content rules, or fetch from elsewhere."""
    return []


@pytest.fixture
def page(browser: Browser, served: Served, complaints: list[str], request: pytest.FixtureRequest) -> Iterator[Page]:
    """The page, opened."""

    def hear(message: ConsoleMessage) -> None:
        # A clip whose film is lost is answered with 422, which the browser reports by itself.
        if message.type == "error" and "status of 422" not in message.text:
            complaints.append(message.text)

    with browser.new_context(viewport={"width": 1440, "height": 1000}, reduced_motion="reduce") as context:
        context.set_default_timeout(20_000)
        opened = context.new_page()
        opened.on("console", hear)
        opened.on("pageerror", lambda error: complaints.append(str(error)))
        opened.on("request", lambda sent: complaints.append(sent.url) if foreign(sent.url, served) else None)
        opened.goto(served.address)
        expect(opened.locator("#player")).to_have_attribute("data-ready", "true")
        yield opened
        folder = os.environ.get("SORAFLOW_SCREENSHOTS")
        if folder:
            opened.screenshot(path=Path(folder) / f"{request.node.name}.png", full_page=True)
    assert complaints == []


def foreign(url: str, served: Served) -> bool:
    return not url.startswith((served.address, "data:", "blob:"))


def clip_on(page: Page, served: Served) -> Row:
    found = re.search(r"Clip (\d+) of", page.locator("#which").inner_text())
    assert found is not None
    return served.audit.sample[int(found[1]) - 1]


def shows_precision(page: Page, audit: Audit) -> None:
    """The page's figures are those that Python works out from the file of verdicts."""
    for name in ("kept", "rejected"):
        found = audit.precision()[name]
        assert found.share is not None
        assert found.low is not None
        assert found.high is not None
        card = page.locator(f"#{name}-card")
        expect(card.locator(".share")).to_have_text(f"{found.share * 100:.0f} %")
        expect(card.locator(".interval")).to_have_text(f"{found.low * 100:.0f} % to {found.high * 100:.0f} %")
        expect(card.locator(".counts")).to_contain_text(f"{found.right} of {found.judged} judged")


def rules(project: Project, technical: float, aesthetic: float, low: float, high: float) -> Curation:
    tree = project.settings.curation.model_dump()
    motion = {"minimum": low, "maximum": high}
    bounds = {"technical": {"maximum": technical}, "aesthetic": {"minimum": aesthetic}}
    return Curation.model_validate(merge(tree, {"rules": {**bounds, "motion": motion, "motion_cropped": motion}}))


def test_keys_judge_clips_and_the_precision_follows(page: Page, served: Served) -> None:
    card, progress = page.locator("#kept-card"), page.locator("#progress")
    expect(card).to_contain_text("none judged yet")
    expect(page.locator("#filter")).to_contain_text("shows once you have judged")
    doubted = {"pan0.mp4", "pan1.mp4", "still.mp4"}
    for number in range(SAMPLE):
        row = clip_on(page, served)
        good = (row["rejected_by"] is None) is (row["path"] not in doubted)
        page.keyboard.press("a" if good else "R")
        expect(progress).to_have_text(f"{number + 1} of {SAMPLE} judged")
        expect(page.locator("#said")).to_contain_text("accepted" if good else "rejected")
    expect(page.locator("#said")).to_contain_text("All clips are judged.")
    assert [judgement.version for judgement in served.audit.store.read()] == [served.audit.version] * SAMPLE
    shows_precision(page, served.audit)
    last = clip_on(page, served)
    page.keyboard.press("u")
    expect(progress).to_have_text(f"{SAMPLE - 1} of {SAMPLE} judged")
    expect(page.locator("#verdict")).to_have_text("not judged")
    assert clip_on(page, served) == last
    page.keyboard.press("r" if last["rejected_by"] is None else "a")
    expect(progress).to_have_text(f"{SAMPLE} of {SAMPLE} judged")
    shows_precision(page, served.audit)
    page.reload()
    expect(progress).to_have_text(f"{SAMPLE} of {SAMPLE} judged")
    said = served.end()
    assert served.process.returncode == 0, said
    assert re.search(r"^kept +\d+% \[\d+%, \d+%\], \d of 8$", said, re.MULTILINE), said
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", int(served.address.rstrip("/").rpartition(":")[2]))) != 0


def test_quick_keys_judge_one_clip_each(page: Page, served: Served) -> None:
    for key in "aarau":
        page.keyboard.press(key)
    expect(page.locator("#said")).to_contain_text("undone")
    expect(page.locator("#progress")).to_have_text(f"3 of {SAMPLE} judged")
    shown = [row["clip_id"] for row in served.audit.sample[:3]]
    assert list(served.audit.verdicts().items()) == list(zip(shown, ("accept", "accept", "reject"), strict=True))
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#verdict")).to_have_text("rejected")


def test_the_clip_plays_and_shows_its_crop_and_cuts(page: Page, served: Served) -> None:
    numbers = {(row["path"], row["start_frame"]): n for n, row in enumerate(served.audit.sample, 1)}
    drawn = "document.getElementById('player').toDataURL()"

    def show(path: str, start: int) -> str:
        page.get_by_role("button", name=f"Clip {numbers[path, start]}, not judged").click()
        expect(page.locator("#place")).to_contain_text(path)
        expect(page.locator("#player")).to_have_attribute("data-ready", "true")
        return page.evaluate(drawn)

    still = show("subtitle.mp4", 0)
    page.keyboard.press("c")
    assert page.evaluate(drawn) != still
    page.keyboard.press("c")
    assert page.evaluate(drawn) == still
    page.locator("h1").click()
    page.keyboard.press(" ")
    page.wait_for_function(f"before => {drawn} !== before", arg=still)
    page.keyboard.press(" ")
    show("cut.mp4", 31)
    expect(page.locator("#series .cut")).to_have_count(1)
    expect(page.locator("#legend")).to_contain_text("1 jump cut;")
    expect(page.locator("#strip")).to_have_attribute("aria-label", re.compile("a jump cut before it, after frame 27"))
    expect(page.locator("#filter")).not_to_contain_text("kept it")
    page.keyboard.press("b")
    expect(page.locator("#filter")).to_contain_text("The filter kept it")


def test_sliders_show_what_other_limits_keep(page: Page, served: Served) -> None:
    retained = page.locator("#retained")
    expect(retained).to_have_text("9 of 15 clips")
    slider = page.locator(f"input[type=range][data-key='{TECHNICAL}']")
    slider.focus()
    page.keyboard.press("End")
    expect(retained).to_have_text("10 of 15 clips")
    for _ in range(30):
        page.keyboard.press("PageDown")
    expect(retained).to_have_text("0 of 15 clips")
    number = page.locator(f"input[type=number][data-key='{TECHNICAL}']")
    number.fill("33")
    expect(retained).to_have_text("7 of 15 clips")
    expect(page.locator("#command")).to_have_text(f"soraflow run --select '+curated_clips' --set {TECHNICAL}=33")
    page.locator("input[type=number][data-key='curation.rules.aesthetic.minimum']").fill("5")
    expect(page.locator("#unmeasured")).to_contain_text("Up to 1 more may stay")
    page.get_by_role("button", name="Reset").click()
    expect(retained).to_have_text("9 of 15 clips")
    expect(page.locator("#command")).to_be_hidden()


def test_browser_and_python_agree(page: Page, served: Served) -> None:
    """Outcomes under a hundred limits, at scores themselves and between, and estimates of fifty samples."""
    draw = random.Random(5)
    values: dict[str, list[float]] = {"motion": [0.0, 0.00001, 0.03, 0.05, 0.055, 0.07, 0.6, 1.0]}
    values |= {"aesthetic": [0.0, 5.0, 20.0, 27.0, 30.0, 99.0], "technical": [0.0, 25.0, 33.0, 34.5, 42.0, 50.0, 99.0]}
    chosen = [
        (
            draw.choice(values["technical"]),
            draw.choice(values["aesthetic"]),
            *sorted(draw.choices(values["motion"], k=2)),
        )
        for _ in range(100)
    ]
    script = """async (chosen) => {
        const {outcome} = await import("/web/numbers.js");
        const data = JSON.parse(document.getElementById("data").textContent);
        const names = ["technical.maximum", "aesthetic.minimum", "motion.minimum", "motion.maximum"];
        return chosen.map((values) => {
            const limits = data.limits.map((limit) => {
                const place = names.indexOf(limit.key.replace("curation.rules.", "").replace("_cropped", ""));
                return {...limit, value: values[place]};
            });
            return data.rows.map((row) => outcome(row, limits, data.steps, data.scored));
        });
    }"""
    theirs: list[list[str]] = page.evaluate(script, chosen)
    ours = [[outcome(row, rules(served.audit.project, *each)) for row in served.audit.rows] for each in chosen]
    assert theirs == ours
    assert set(Counter(name for names in ours for name in names)) >= {"kept", "unmeasured", "motion_recheck", "shots"}
    samples: list[list[tuple[float, bool]]] = [
        [(draw.choice([1.0, 2.5, 40.0]), draw.random() < 0.8) for _ in range(draw.randint(0, 20))] for _ in range(50)
    ]
    script = "async (samples) => samples.map((await import('/web/numbers.js')).estimate)"
    for found, expected in zip(page.evaluate(script, samples), map(estimate, samples), strict=True):
        assert found == pytest.approx(vars(expected))


def test_only_the_page_itself_may_write(page: Page, served: Served, complaints: list[str]) -> None:
    clip = served.audit.sample[0]["clip_id"]
    script = """([address, clip, headers]) => fetch(address + "verdicts", {
        method: "POST", headers, body: JSON.stringify({clip_id: clip, verdict: "accept"}),
    }).then((answer) => answer.status, () => "refused")"""
    assert page.evaluate(script, [served.address, clip, {}]) == 403
    token = page.evaluate("JSON.parse(document.getElementById('data').textContent).token")
    page.goto("about:blank")
    stranger: list[Any] = [served.address, clip, {"X-Page-Token": token}]
    assert page.evaluate(script, stranger) == "refused"  # the browser asks first, and is told no
    assert served.audit.store.read() == []
    assert any("CORS" in complaint for complaint in complaints)
    complaints.clear()


def test_every_control_has_a_name_and_both_themes_are_there(page: Page) -> None:
    nameless = page.evaluate(
        """() => [...document.querySelectorAll("button, input")].filter((control) =>
            !control.getAttribute("aria-label") && !control.textContent.trim()
            && ![...(control.labels ?? [])].some((label) => label.textContent.trim())
        ).map((control) => control.outerHTML)"""
    )
    assert nameless == []
    pictures = "canvas, svg, #stack, [role=progressbar]"
    unnamed = page.locator(pictures).evaluate_all(
        "all => all.filter((one) => one.checkVisibility() && !one.getAttribute('aria-label')).length"
    )
    assert unnamed == 0
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(ground) != light


def test_histograms_have_a_scale_and_a_narrow_window_cuts_nothing_off(page: Page) -> None:
    motion, aesthetics = page.locator(".limit").nth(0), page.locator(".limit").nth(1)
    low, middle, high = motion.locator(".ends span").all_inner_texts()
    assert (float(low) < 0.001, middle, float(high) > 0.3) == (True, "logarithmic", True)
    low, middle, high = aesthetics.locator(".ends span").all_inner_texts()
    assert (float(low) < 12.0 < float(high), middle) == (True, "")
    page.set_viewport_size({"width": 360, "height": 800})
    beyond = """() => [...document.querySelectorAll("main *")].filter((one) => one.checkVisibility()
        && (one.getBoundingClientRect().right > innerWidth || one.getBoundingClientRect().left < 0))
        .map((one) => one.outerHTML.slice(0, 80))"""
    assert page.evaluate(beyond) == []
    expect(page.locator("#place")).to_have_css("white-space", "normal")
