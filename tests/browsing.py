"""What a person does on the sandbox's page, for the tests that work an incident in a browser.

Import the fixtures that a test file uses, `address`, `browser` and `page`, by name. The tests of a
file have one browser, and each a profile of its own.
"""

import os
import re
import shutil
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import yaml
from playwright.async_api import Browser, Locator, Page, async_playwright, expect

from bot.actions.registry import ACTIONS
from tests.sandboxes import sandbox

ROOT = Path(__file__).parent.parent
PLAYBOOKS = (ROOT / "templates" / "playbooks", ROOT / "sandbox" / "playbooks")
WATCHED = {action.name for action in ACTIONS if "watch_seconds" in action.model_fields}
SCREENSHOTS = ROOT / "artefacts"
# Without these Chromium looks for hosts outside at every start.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
MARKS = [
    pytest.mark.browser,
    pytest.mark.timeout(240),
    pytest.mark.asyncio(loop_scope="module"),
]


def chromium() -> str:
    """The browser's path; without one the test is skipped, where it must run it fails."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    path = next(filter(None, map(shutil.which, names)), None)
    if path is None:
        if os.environ.get("RUNBOLT_REQUIRE_BROWSER"):
            pytest.fail("no Chromium was found, and this test must run here")
        pytest.skip("no Chromium was found")
    return path


@pytest_asyncio.fixture(loop_scope="module")
async def address(tmp_path: Path) -> AsyncIterator[str]:
    """The sandbox as a person starts it, on a port of its own."""
    async with sandbox(tmp_path) as url:
        yield url


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_address(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """One sandbox for all tests of a file: they find what others did in it."""
    async with sandbox(tmp_path_factory.mktemp("sandbox")) as url:
        yield url


@pytest_asyncio.fixture(loop_scope="module")
async def hurried(tmp_path: Path) -> AsyncIterator[str]:
    """The same with playbooks of one's own, which watch for 5 seconds and not for 30."""
    books = tmp_path / "hurried"
    for folder in PLAYBOOKS:
        shutil.copytree(folder, books, dirs_exist_ok=True)
    for file in books.glob("*.yml"):
        file.write_text(yaml.safe_dump(in_a_hurry(yaml.safe_load(file.read_text()))))
    async with sandbox(tmp_path, "--playbooks", str(books)) as url:
        yield url


def in_a_hurry(book: dict[str, Any]) -> dict[str, Any]:
    """The playbook, its changes watched for less long."""
    for step in (step for scenario in book["scenarios"] for step in scenario["steps"]):
        if step["action"] in WATCHED:
            step["params"]["watch_seconds"] = 5
    return book


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    path = chromium()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="module")
async def page(
    browser: Browser, address: str, request: pytest.FixtureRequest
) -> AsyncIterator[Page]:
    """The sandbox's page, as the on-call engineer sees it first; it must not throw.

    What is to be seen at the end is kept, whether or not the test failed.
    """
    context = await browser.new_context(viewport={"width": 1440, "height": 900})
    page = await context.new_page()
    thrown: list[str] = []
    page.on("pageerror", lambda error: thrown.append(str(error)))
    await page.goto(address)
    # What is opened before the page has found its place is closed by that.
    await page.locator("body[data-ready]").wait_for()
    yield page
    await screenshot(page, f"{request.node.name}-end")
    await context.close()
    assert thrown == []


async def screenshot(page: Page, name: str) -> None:
    """Keep what is to be seen."""
    SCREENSHOTS.mkdir(exist_ok=True)
    await page.screenshot(path=SCREENSHOTS / f"{name}.png")


async def say(page: Page, words: str) -> None:
    """Type into the composer, and send."""
    composer = page.get_by_test_id("composer")
    await composer.fill(words)
    await composer.press("Enter")


async def switch_user(page: Page, person: str) -> None:
    """Be somebody else."""
    await page.locator(f'[data-person="{person}"]').first.click()


async def open_channel(page: Page, channel: str) -> None:
    """Open a channel, once it is there."""
    await page.locator(f'[data-channel="{channel}"]').first.click()
    await expect(page.get_by_test_id("composer")).to_be_visible()


async def press(page: Page, text: str) -> None:
    """Press the newest button of this text."""
    await page.get_by_role("button", name=text, exact=True).last.click()


async def wait_for_text(page: Page, text: str, seconds: float = 20) -> None:
    """Wait until it is to be seen."""
    # A thread that was closed is still there, hidden.
    shown = page.get_by_text(text).locator("visible=true")
    await expect(shown.last).to_be_visible(timeout=seconds * 1000)


async def wait_until_done(page: Page, changes: int, seconds: float = 20) -> None:
    """Wait until so many requests say in bold that they were done and checked."""
    done = page.get_by_text("Done and checked.", exact=True)
    await expect(done).to_have_count(changes, timeout=seconds * 1000)


async def take_next_status(page: Page) -> None:
    """Press the status that the card proposes, which is then proposed no longer."""
    await press(page, "Set to Monitoring")
    await expect(page.get_by_role("button", name="Set to Monitoring")).to_have_count(0)


async def scroll_to_card(page: Page) -> None:
    """Show the incident's card, from its first line on."""
    heading = page.locator("h3", has_text="· INC-1 ·").first
    await heading.evaluate("heading => heading.scrollIntoView({block: 'center'})")


async def choose(place: Page | Locator, *options: str | int) -> None:
    """Choose from the menu that says *Choose*: by words, or by number from the top."""
    await place.get_by_text(re.compile("^Choose( a playbook)?$")).last.click()
    page = place if isinstance(place, Page) else place.page
    for option in options:
        shown = page.get_by_role("option")
        line = shown.nth(option) if isinstance(option, int) else shown.filter(has_text=option)
        await line.click()
    if isinstance(options[0], int):
        await page.keyboard.press("Escape")


async def press_until(page: Page, button: str, text: str, seconds: float = 40) -> None:
    """Press a reading step again and again until it tells this."""
    ends = time.monotonic() + seconds
    while True:
        await press(page, button)
        try:
            return await wait_for_text(page, text, 1.5)
        except AssertionError:
            if time.monotonic() > ends:
                raise


async def form(page: Page) -> Locator:
    """The form on top, once it has come up."""
    modal = page.get_by_test_id("modal")
    await expect(modal).to_have_css("opacity", "1")
    return modal


async def submit(page: Page, **filled: str) -> None:
    """Fill in the form on top by its labels (`_` for a space), and send it."""
    modal = await form(page)
    for label, words in filled.items():
        await modal.get_by_label(label.replace("_", " ")).fill(words)
    await page.get_by_test_id("modal-submit").click()
    await expect(page.get_by_test_id("modal")).to_have_count(0)


async def begin_scenario(page: Page, scenario: str) -> None:
    """Make a scenario true, and put what to type next into the composer."""
    await page.get_by_test_id("breaker-open").click()
    await page.locator(f'[data-scenario="{scenario}"]').click()
    row = page.locator(".breaker-row", has=page.locator(f'[data-scenario="{scenario}"]'))
    await row.get_by_test_id("breaker-fill").click(timeout=20_000)


async def approve(page: Page, channel: str, person: str = "second") -> None:
    """Approve what waits, as somebody else, who stays on the page."""
    await switch_user(page, person)
    await open_channel(page, channel)
    await press(page, "Approve")
    await page.get_by_test_id("confirm-yes").click()


async def return_to(page: Page, channel: str, person: str = "oncall") -> None:
    """Be the first person again, in the channel."""
    await switch_user(page, person)
    await open_channel(page, channel)


async def update(page: Page, impact: str, happening: str) -> None:
    """Tell everybody how it stands."""
    await say(page, "/incident update")
    modal = await form(page)
    await modal.get_by_label("Impact: what do users notice?").fill(impact)
    await modal.get_by_label("What is happening").fill(happening)
    await page.get_by_test_id("modal-submit").click()
    await wait_for_text(page, impact)


async def resolve(page: Page, fix: str, picture: str = "") -> None:
    """End the incident; a picture of the filled-in form is kept under its name."""
    await say(page, "/incident resolve")
    modal = await form(page)
    await modal.get_by_label("What fixed it?").fill(fix)
    if picture:
        await screenshot(page, picture)
    await page.get_by_test_id("modal-submit").click()
    await wait_for_text(page, "INC-1 is resolved")
    summary = page.get_by_role("article").filter(has_text="INC-1 is resolved").last
    await summary.get_by_test_id("thread-bar").click()
    await wait_for_text(page, "inc-1-timeline.md")
    await page.get_by_test_id("thread-close").click()


async def declare_by_symptoms(page: Page, title: str, *symptoms: str) -> None:
    """Declare with the form: say what is wrong and tick what is seen."""
    await say(page, f"/incident declare {title}")
    modal = await form(page)
    for symptom in symptoms:
        await modal.get_by_label(symptom).check()
    await expect(modal.get_by_text("This looks like")).to_be_visible()
    await page.get_by_test_id("modal-submit").click()


async def press_in(page: Page, block: str, text: str) -> None:
    """Press a button of one row: of the step or task that the block is of."""
    row = page.locator(f'.block[data-block-id="{block}"]:visible').last
    await row.get_by_role("button", name=text, exact=True).click()


async def act_outside_slack(page: Page, *names: str) -> None:
    """Do what people do outside of Slack, in the sandbox's panel."""
    await page.get_by_test_id("breaker-open").click()
    for name in names:
        button = page.locator(f'[data-elsewhere="{name}"]')
        await button.click()
        await expect(button.or_(page.locator('[data-scenario="all-well"]')).last).to_be_enabled()
    await page.keyboard.press("Escape")
