"""A spike of disputes, worked in a browser: orders are paused, three users found and blocked."""

from playwright.async_api import Page, expect

from tests import browsing
from tests.browsing import (
    approve,
    browser,
    choose,
    page,
    press,
    press_in,
    screenshot,
    submit,
    wait_for_text,
)
from tests.browsing import (
    hurried as address,
)

__all__ = ["address", "browser", "page"]

CHANNEL = "inc-1-disputes-are-piling-up"

pytestmark = browsing.MARKS


async def test_a_dispute_spike_from_the_button_to_resolve(page: Page) -> None:
    await browsing.begin_scenario(page, "high-dispute-rate")
    await page.get_by_test_id("composer").press("Enter")
    await browsing.open_channel(page, CHANNEL)
    await screenshot(page, "disputes-01-declared")
    await wait_for_text(page, "Which playbook fits?")
    await choose(page, "High Dispute Rate")
    await wait_for_text(page, "Pause new orders if fraud detected")
    await press(page, "Take command")
    await wait_for_text(page, "is the incident commander")

    await press(page, "Pause new orders")
    await browsing.form(page)
    await screenshot(page, "disputes-02-pause-form")
    await submit(page, Reason="Three users buy with stolen cards")
    await wait_for_text(page, "more approval")
    await screenshot(page, "disputes-03-pause-plan")
    await approve(page, CHANNEL)
    await wait_for_text(page, "Watching:")
    await screenshot(page, "disputes-04-pausing")

    await browsing.return_to(page, CHANNEL)
    await press(page, "Review recent orders")
    await wait_for_text(page, "users with the most orders in 24 hours")
    await page.get_by_test_id("thread-bar").first.click()
    await expect(
        page.get_by_test_id("thread-panel").get_by_text("order_count").last
    ).to_be_visible()
    await screenshot(page, "disputes-05-review")
    await page.get_by_test_id("thread-close").click()
    await press_in(page, "step:block-users", "Done…")
    modal = await browsing.form(page)
    await choose(modal, 0, 1, 2)
    await screenshot(page, "disputes-06-block-form")
    await modal.get_by_label("Note").fill("Blocked in the back office")
    await page.get_by_test_id("modal-submit").click()
    await browsing.act_outside_slack(page, "block-users")
    await press_in(page, "step:dispute-evidence", "Done")
    await screenshot(page, "disputes-07-evidence")
    await wait_for_text(page, "Done and checked", 60)
    await screenshot(page, "disputes-08-paused")

    await press(page, "Resume orders")
    await submit(page, Reason="The three are blocked")
    await wait_for_text(page, "more approval")
    await screenshot(page, "disputes-09-resume-plan")
    await approve(page, CHANNEL)
    await wait_for_text(page, "Watching:")
    await browsing.return_to(page, CHANNEL)
    await press_in(page, "step:fraud-thresholds", "More")
    await page.get_by_role("menuitem", name="Skip…").click()
    await submit(page, Why_do_you_skip_it="The risk team does that tomorrow")
    await wait_for_text(page, "The risk team does that tomorrow")
    await browsing.update(page, "Orders were paused for a few minutes", "The three are blocked")
    await expect(page.get_by_text("Done and checked")).to_have_count(2, timeout=60_000)
    await wait_for_text(page, "has ended")
    await expect(page.get_by_text("Undo needs no new approval. Then")).to_have_count(0)
    await screenshot(page, "disputes-10-resumed")
    await browsing.resolve(page, "Blocked three users")
    await screenshot(page, "disputes-11-resolved")
