"""The sandbox's page as a client of Slack: its forms, its tabs and its colours."""

from pathlib import Path
from typing import Literal

import pytest
from playwright.async_api import Locator, Page, Response, expect

from tests import browsing
from tests.browsing import (
    browser,
    form,
    open_channel,
    page,
    press,
    say,
    screenshot,
    submit,
    wait_for_text,
)
from tests.browsing import shared_address as address

__all__ = ["address", "browser", "page"]

WORDS = "What do you see?"
CONTRAST = (Path(__file__).parent / "contrast.js").read_text()
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")

pytestmark = [*browsing.MARKS, pytest.mark.together]


async def declare_form(page: Page) -> Locator:
    """The form in which one ticks what one sees; it is longer than what can be seen of it."""
    await say(page, "/incident declare Orders are failing")
    return await form(page)


async def declare(page: Page, title: str) -> str:
    """Declare, open the incident's channel, and return its name."""
    await say(page, f"/incident declare sev1 {title}")
    link = page.locator(f'[data-channel$="-{title.lower().replace(" ", "-")}"]').first
    channel = str(await link.get_attribute("data-channel"))
    await open_channel(page, channel)
    return channel


async def scrolled(modal: Locator) -> int:
    """How many pixels of the form lie above what is to be seen."""
    return int(await modal.locator(".modal-body").evaluate("node => Math.round(node.scrollTop)"))


async def test_a_tick_moves_nothing(page: Page) -> None:
    modal = await declare_form(page)
    box = modal.get_by_role("checkbox").last
    await box.focus()
    assert await scrolled(modal) > 0
    place = await box.bounding_box()

    await box.press("Space")
    await expect(modal.get_by_text("This looks like")).to_be_attached()

    await expect(box).to_be_checked()
    await expect(box).to_be_focused()
    assert await box.bounding_box() == place


async def test_a_form_stays_in_its_tab(page: Page, address: str) -> None:
    other = await page.context.new_page()
    await other.goto(address)
    await expect(other.locator("body")).to_have_attribute("data-ready", "true")
    modal = await declare_form(page)
    await modal.get_by_label("What is wrong?").fill("Nobody can pay")
    await modal.get_by_role("checkbox").nth(2).check()
    await expect(modal.get_by_text("This looks like")).to_be_attached()

    await page.reload()
    await expect(modal.get_by_label("What is wrong?")).to_have_value("Nobody can pay")
    await expect(modal.get_by_role("checkbox").nth(2)).to_be_checked()
    await expect(modal.get_by_text("This looks like")).to_be_attached()
    await expect(other.get_by_test_id("modal")).to_have_count(0)

    async with page.context.expect_page() as opened:
        await page.evaluate("window.open(location.href)")
    duplicate = await opened.value
    await expect(duplicate.locator("body")).to_have_attribute("data-ready", "true")
    await expect(duplicate.get_by_test_id("modal")).to_have_count(0)
    await page.get_by_test_id("modal-submit").click()
    await expect(page.locator('[data-channel$="-nobody-can-pay"]')).to_be_visible()


async def shows_words(response: Response) -> bool:
    """Whether the page was sent what somebody else has just written."""
    return "/sandbox/messages" in response.url and WORDS in await response.text()


async def two_frames(page: Page) -> None:
    """Until what the page knows by now can be seen."""
    await page.evaluate(
        "() => new Promise((then) => requestAnimationFrame(() => requestAnimationFrame(then)))"
    )


async def test_a_press_outlives_a_redraw(page: Page, address: str) -> None:
    channel = await declare(page, "Orders are failing")
    button = page.get_by_role("button", name="Roll back", exact=True)
    message = page.get_by_test_id("message").filter(has=button)
    await button.hover()
    ts = await message.get_attribute("data-ts")
    reaction = {"user": "second", "channel": channel, "ts": ts, "name": "eyes"}
    words = {"user": "second", "channel": channel, "text": f"{WORDS}\n" * 20}

    await page.mouse.down()
    async with page.expect_response(shows_words):
        await page.request.post(f"{address}/sandbox/react", data=reaction)
        await page.request.post(f"{address}/sandbox/say", data=words)
    await two_frames(page)
    await page.mouse.up()

    await form(page)
    await expect(message.locator(".reactions")).to_be_attached()
    await expect(page.get_by_text(WORDS)).to_be_attached()


async def test_every_word_is_readable(page: Page) -> None:
    await readable(page, "start")
    await declare(page, "Orders: the checkout is down")
    await wait_for_text(page, "Recovery steps")
    await readable(page, "playbook")
    await press(page, "Pods")
    await wait_for_text(page, "details in the thread")
    await press(page, "Roll back")
    await form(page)
    await readable(page, "form")
    await submit(page, Reason="The new version crash-loops")
    await wait_for_text(page, "more approval")
    await page.get_by_test_id("thread-bar").first.click()
    await readable(page, "request")


async def readable(page: Page, name: str) -> None:
    """Both in light and in dark colours."""
    for scheme in SCHEMES:
        await page.emulate_media(color_scheme=scheme)
        assert await page.evaluate(CONTRAST) == []
        await screenshot(page, f"colours-{name}-{scheme}")


async def test_chosen_colours_are_kept(page: Page) -> None:
    paper = page.locator(".main")
    await page.emulate_media(color_scheme="dark")
    await expect(paper).to_have_css("background-color", "rgb(26, 29, 33)")

    await page.get_by_role("button", name="Switch to light colours").click()
    await expect(paper).to_have_css("background-color", "rgb(255, 255, 255)")
    await page.reload()
    await expect(paper).to_have_css("background-color", "rgb(255, 255, 255)")

    await page.get_by_role("button", name="Switch to dark colours").click()
    await page.emulate_media(color_scheme="light")
    await expect(paper).to_have_css("background-color", "rgb(255, 255, 255)")
