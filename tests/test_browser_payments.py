"""Failing payments, worked in a browser: looked at, handled one by one, replayed."""

from playwright.async_api import Page, expect

from tests import browsing
from tests.browsing import browser, page, press, press_in, screenshot, wait_for_text
from tests.browsing import hurried as address

__all__ = ["address", "browser", "page"]

CHANNEL = "inc-1-payments-are-failing"

pytestmark = browsing.MARKS


async def test_failing_payments_from_the_button_to_resolve(page: Page) -> None:
    await browsing.begin_scenario(page, "payment-refund-failures")
    await browsing.say(page, "/incident declare Payments are failing")
    modal = await browsing.form(page)
    await screenshot(page, "payments-01-symptoms")
    await modal.get_by_label("Stripe webhook errors").check()
    await modal.get_by_label("Orders stuck in PENDING").check()
    await wait_for_text(page, "This looks like")
    await screenshot(page, "payments-02-ticked")
    await page.get_by_test_id("modal-submit").click()
    await browsing.open_channel(page, CHANNEL)
    await wait_for_text(page, "Payment/Refund Failures")
    await screenshot(page, "payments-03-declared")
    await press(page, "Take command")
    await wait_for_text(page, "is the incident commander")
    await press_in(page, "step:stripe-dashboard", "Done")
    await press(page, "Undelivered webhooks")
    await press(page, "Webhook logs")
    await press(page, "Idempotency issues")
    await press(page, "Payment service health")
    await wait_for_text(page, "payment-service:3006 answered 503")
    await wait_for_text(page, "webhook events of the last hour not processed")
    await screenshot(page, "payments-04-looked")
    await page.get_by_test_id("thread-bar").first.click()
    await screenshot(page, "payments-05-thread")
    await press(page, "Stuck orders")
    await wait_for_text(page, "stuck in PENDING for more than 30 minutes")
    await screenshot(page, "payments-06-stuck")
    await press(page, "Work through them…")
    modal = await browsing.form(page)
    await browsing.choose(modal, 0, 1)
    await screenshot(page, "payments-07-work-form")
    await page.get_by_test_id("modal-submit").click()
    await page.get_by_test_id("thread-close").click()
    await expect(page.get_by_role("button", name="Handled", exact=True)).to_have_count(2)
    await press(page, "Handled")
    await wait_for_text(page, "1 of 2 handled")
    await press(page, "Escalate")
    await wait_for_text(page, "Escalated")
    await screenshot(page, "payments-08-list")

    await browsing.act_outside_slack(page, "mend-payment-service", "replay-webhooks")
    await press_in(page, "step:replay-webhooks", "Done")
    await press(page, "Payment service health")
    await wait_for_text(page, "payment-service:3006 answered 200")
    await press(page, "Undelivered webhooks")
    await press(page, "Idempotency issues")
    await press(page, "Stuck orders")
    await wait_for_text(page, "Every webhook event of the last hour was processed")
    await wait_for_text(page, "No orders are stuck in PENDING")
    await screenshot(page, "payments-09-well")
    await browsing.update(page, "Paid orders stayed PENDING", "payment-service is well again")
    await browsing.resolve(page, "payment-service was mended, the webhooks were replayed")
    await screenshot(page, "payments-10-resolved")
