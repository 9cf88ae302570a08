"""The whole SEV-1, worked in a browser through the sandbox's page, with pictures kept."""

import pytest
from playwright.async_api import Page, expect

from tests import browsing
from tests.browsing import address, become, browser, page, picture, press, say, sees

__all__ = ["address", "browser", "page"]

CHANNEL = "inc-1-orders-are-failing"

pytestmark = browsing.MARKS


async def test_a_sev1_from_declare_to_resolve(page: Page) -> None:
    await picture(page, "01-welcome")
    await say(page, "/incident declare sev1 Orders are failing")
    await page.locator(f'[data-channel="{CHANNEL}"]').first.click()
    await sees(page, "Complete Service Outage")
    await picture(page, "02-declared")

    await press(page, "Take command")
    await sees(page, "is the incident commander")
    await press(page, "Check dependencies")
    await sees(page, "tickettoken-postgres")
    await press(page, "Database connections")
    await sees(page, "connections")
    await crash_loops(page)
    await press(page, "Logs")
    await sees(page, "Last error:")
    await page.get_by_test_id("thread-bar").first.click()
    await expect(page.get_by_test_id("thread-panel").get_by_text("logs-")).to_be_visible()
    await picture(page, "03-looked")
    await page.get_by_test_id("thread-close").click()

    await press(page, "Roll back")
    await page.get_by_label("Reason").fill("The new version crash-loops since the release")
    await expect(page.get_by_test_id("modal")).to_have_css("opacity", "1")
    await picture(page, "04-asking")
    await page.get_by_test_id("modal-submit").click()
    await sees(page, "more approval")
    await picture(page, "05-waits-for-approval")

    await become(page, "second")
    await page.locator(f'[data-channel="{CHANNEL}"]').first.click()
    await press(page, "Approve")
    await page.get_by_test_id("confirm-yes").click()
    await sees(page, "Watching:", 60)
    await picture(page, "06-watching")
    await sees(page, "Done and checked", 90)
    await picture(page, "07-done")

    await become(page, "oncall")
    await page.locator(f'[data-channel="{CHANNEL}"]').first.click()
    await say(page, "/incident update")
    await page.get_by_label("Impact: what do users notice?").fill("Nobody could buy tickets")
    await page.get_by_label("What is happening").fill("Rolled back to v2.3.1, orders go through")
    await expect(page.get_by_test_id("modal")).to_have_css("opacity", "1")
    await picture(page, "08-update")
    await page.get_by_test_id("modal-submit").click()
    await sees(page, "Nobody could buy tickets")

    await say(page, "/incident resolve")
    await page.get_by_label("What fixed it?").fill("Rolled back v2.4.0")
    await page.get_by_test_id("modal-submit").click()
    await sees(page, "INC-1 is resolved")
    await sees(page, "inc-1-timeline.md")
    await picture(page, "09-resolved")


async def crash_loops(page: Page) -> None:
    """Look at the pods until the new release has crashed; it needs a while to."""
    for _ in range(30):
        await press(page, "Pods")
        await sees(page, "ready")
        if await page.get_by_text("CrashLoopBackOff").count():
            return
        await page.wait_for_timeout(1000)
    pytest.fail("the new release never crash-looped")
