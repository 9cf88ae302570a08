"""Slow responses, worked in a browser: sessions that block each other are ended, pods are added."""

from playwright.async_api import Page, expect

from tests import browsing
from tests.browsing import (
    approve,
    browser,
    page,
    press,
    press_until,
    screenshot,
    submit,
    wait_for_text,
)
from tests.browsing import hurried as address

__all__ = ["address", "browser", "page"]

CHANNEL = "inc-1-checkout-is-slow"

pytestmark = browsing.MARKS


async def test_slow_responses_from_the_button_to_resolve(page: Page) -> None:
    await browsing.begin_scenario(page, "slow-response-times")
    await screenshot(page, "slow-01-filled-in")
    await page.get_by_test_id("composer").press("Enter")
    await browsing.open_channel(page, CHANNEL)
    await wait_for_text(page, "Slow Response Times")
    await press(page, "Take command")
    await wait_for_text(page, "is the incident commander")
    await press(page, "Pod resource usage")
    await wait_for_text(page, "3 at 90 % of a limit or above")
    await screenshot(page, "slow-02-busy")

    await press(page, "Scale up")
    await browsing.form(page)
    await screenshot(page, "slow-03-scale-form")
    await submit(page, Reason="CPU is at its limit")
    await wait_for_text(page, "Scale order-service from 3 to 4 replicas")
    await wait_for_text(page, "more approval")
    await approve(page, CHANNEL)
    await wait_for_text(page, "Watching:")
    await screenshot(page, "slow-04-scaling")

    # While the new pod is watched, the queries.
    await browsing.return_to(page, CHANNEL)
    await press_until(
        page, "Long queries", "5 sessions busy with one query for more than 5 seconds"
    )
    await press(page, "Kill long queries")
    await submit(page, Longer_than="5 s", Reason="Checkouts wait behind the settlement job")
    await wait_for_text(page, "SELECT settle_orders(current_date)")
    await screenshot(page, "slow-05-plan")
    await approve(page, CHANNEL)
    await wait_for_text(page, "None of them runs that query any more")
    await screenshot(page, "slow-06-ended")

    await browsing.return_to(page, CHANNEL)
    await press_until(page, "Long queries", "No query has run for more than 5 seconds")
    await press(page, "Add missing indexes")
    await wait_for_text(page, "indexes that may be missing")
    await page.get_by_test_id("thread-bar").first.click()
    await expect(
        page.get_by_test_id("thread-panel").get_by_text("order_items").last
    ).to_be_visible()
    await screenshot(page, "slow-07-thread")
    await page.get_by_test_id("thread-close").click()

    await browsing.update(page, "Checkout took ten seconds", "The job that held orders is ended")
    await expect(page.get_by_text("Done and checked")).to_have_count(2, timeout=40_000)
    await browsing.resolve(page, "Ended the settlement job, it runs at night from now on")
    await screenshot(page, "slow-08-resolved")
