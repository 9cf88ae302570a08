"""The whole SEV-1, worked in a browser through the sandbox's page, with pictures kept."""

import pytest
from playwright.async_api import Page, expect

from tests import browsing
from tests.browsing import (
    address,
    browser,
    page,
    press,
    press_in,
    say,
    screenshot,
    switch_user,
    wait_for_text,
)

__all__ = ["address", "browser", "page"]

CHANNEL = "inc-1-orders-are-failing"

pytestmark = browsing.MARKS


async def test_a_sev1_from_declare_to_resolve(page: Page) -> None:
    await screenshot(page, "01-welcome")
    await say(page, "/incident declare sev1 Orders are failing")
    await page.locator(f'[data-channel="{CHANNEL}"]').first.click()
    await wait_for_text(page, "Complete Service Outage")
    await screenshot(page, "02-declared")

    await press(page, "Take command")
    await wait_for_text(page, "is the incident commander")
    await press_in(page, "step:alert-team", "Done")
    await press(page, "Check dependencies")
    await wait_for_text(page, "tickettoken-postgres")
    await press(page, "Database connections")
    await wait_for_text(page, "connections")
    await crash_loops(page)
    await press(page, "Logs")
    await wait_for_text(page, "Last error:")
    await page.get_by_test_id("thread-bar").first.click()
    await expect(page.get_by_test_id("thread-panel").get_by_text("logs-")).to_be_visible()
    await screenshot(page, "03-looked")
    await page.get_by_test_id("thread-close").click()

    await press(page, "Roll back")
    await page.get_by_label("Reason").fill("The new version crash-loops since the release")
    await expect(page.get_by_test_id("modal")).to_have_css("opacity", "1")
    await screenshot(page, "04-asking")
    await page.get_by_test_id("modal-submit").click()
    await wait_for_text(page, "more approval")
    await screenshot(page, "05-waits-for-approval")

    await switch_user(page, "second")
    await page.locator(f'[data-channel="{CHANNEL}"]').first.click()
    await press(page, "Approve")
    await page.get_by_test_id("confirm-yes").click()
    await wait_for_text(page, "Watching:", 60)
    await screenshot(page, "06-watching")
    await browsing.wait_until_done(page, 1, 90)
    await screenshot(page, "07-done")

    await switch_user(page, "oncall")
    await page.locator(f'[data-channel="{CHANNEL}"]').first.click()
    await browsing.update(
        page, "Nobody could buy tickets", "Rolled back to v2.3.1, orders go through"
    )
    await screenshot(page, "08-updated")
    await browsing.scroll_to_card(page)
    await screenshot(page, "08-card")
    await browsing.take_next_status(page)
    await screenshot(page, "08-monitoring")
    await press(page, "Tell customers…")
    await browsing.form(page)
    await screenshot(page, "09-customers-form")
    await page.get_by_test_id("modal-submit").click()
    await wait_for_text(page, "Tell customers in #status")
    await browsing.approve(page, CHANNEL)
    await browsing.wait_until_done(page, 2)
    await screenshot(page, "10-customers-told")

    await browsing.return_to(page, CHANNEL)
    await browsing.resolve(page, "Rolled back v2.4.0", "11-resolve-form")
    await wait_for_text(page, "The message that it is over waits for approval")
    await screenshot(page, "11-resolved")
    await browsing.approve(page, CHANNEL)
    await wait_for_text(page, "that it is over.")
    await browsing.wait_until_done(page, 3)
    await browsing.scroll_to_card(page)
    await screenshot(page, "12-all-clear")
    await browsing.open_channel(page, "status")
    await wait_for_text(page, "We have taken action against the problem with Orders")
    await wait_for_text(page, "works normally again")
    await screenshot(page, "12-status")
    await on_a_phone(page)


async def on_a_phone(page: Page) -> None:
    """The list of channels and a channel have the whole width in turn, and nothing sticks out."""
    await page.set_viewport_size({"width": 400, "height": 800})
    channels = page.get_by_role("navigation", name="Channels")
    await expect(channels).to_be_hidden()
    await page.get_by_role("button", name="Home", exact=True).click()
    await expect(page.get_by_test_id("composer")).to_be_hidden()
    await channels.locator(f'[data-channel="{CHANNEL}"]').click()
    await wait_for_text(page, "is resolved")
    await expect(channels).to_be_hidden()
    await screenshot(page, "13-on-a-phone")
    await browsing.scroll_to_card(page)
    await screenshot(page, "13-card-on-a-phone")
    assert await page.evaluate("document.documentElement.scrollWidth") == 400


async def crash_loops(page: Page) -> None:
    """Look at the pods until the new release has crashed; it needs a while to."""
    for _ in range(30):
        await press(page, "Pods")
        await wait_for_text(page, "ready")
        if await page.get_by_text("CrashLoopBackOff").count():
            return
        await page.wait_for_timeout(1000)
    pytest.fail("the new release never crash-looped")
