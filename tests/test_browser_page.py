"""The sandbox's page as a client of Slack: its forms, its tabs and its colours."""

from playwright.async_api import Locator, Page, expect

from tests import browsing
from tests.browsing import address, browser, form, page, say

__all__ = ["address", "browser", "page"]

pytestmark = browsing.MARKS


async def declare_form(page: Page) -> Locator:
    """The form in which one ticks what one sees; it is longer than what can be seen of it."""
    await say(page, "/incident declare Orders are failing")
    return await form(page)


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
    await expect(page.locator('[data-channel="inc-1-nobody-can-pay"]')).to_be_visible()
