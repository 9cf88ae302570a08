"""The other scenarios, each worked in a browser from the panel's button to its resolution."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest
from playwright.async_api import Page, expect

from tests import browsing
from tests.browsing import (
    approve,
    browser,
    choose,
    page,
    press,
    press_in,
    press_until,
    screenshot,
    submit,
    wait_for_text,
)
from tests.browsing import hurried as address

__all__ = ["address", "browser", "page"]

pytestmark = browsing.MARKS

DISPUTES = "inc-1-orders-disputes-are-piling-up"
PAYMENTS = "inc-1-orders-payments-are-failing"
SLOW = "inc-1-orders-checkout-is-slow"


async def declare_as_filled_in(page: Page) -> None:
    """Send what the panel put into the composer."""
    await page.get_by_test_id("composer").press("Enter")


async def declare_by_symptoms(page: Page) -> None:
    """Declare with the form, in which the symptoms are ticked that are seen."""
    await browsing.say(page, "/incident declare Orders: payments are failing")
    modal = await browsing.form(page)
    await screenshot(page, "payments-01-symptoms")
    await modal.get_by_label("Stripe webhook errors").check()
    await modal.get_by_label("Orders stuck in PENDING").check()
    await wait_for_text(page, "This looks like")
    await screenshot(page, "payments-02-ticked")
    await page.get_by_test_id("modal-submit").click()


async def choose_high_dispute_rate(page: Page) -> None:
    """No scenario fits the severity alone: choose one."""
    await wait_for_text(page, "Which playbook fits?")
    await choose(page, "High Dispute Rate")


async def work_disputes(page: Page) -> None:
    """Orders are paused, three users found and blocked, orders resumed."""

    await press(page, "Pause new orders")
    await browsing.form(page)
    await screenshot(page, "disputes-02-pause-form")
    await submit(page, Reason="Three users buy with stolen cards")
    await wait_for_text(page, "more approval")
    await screenshot(page, "disputes-03-pause-plan")
    await approve(page, DISPUTES)
    await wait_for_text(page, "Watching:")
    await screenshot(page, "disputes-04-pausing")

    await browsing.return_to(page, DISPUTES)
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
    await browsing.wait_until_done(page, 1, 60)
    await screenshot(page, "disputes-08-paused")

    # It is the undo of the pause, which was approved along with it, and she is an approver.
    await press(page, "Resume orders")
    await submit(page, Reason="The three are blocked")
    await wait_for_text(page, "Watching:")
    await screenshot(page, "disputes-09-resuming")
    await press_in(page, "step:fraud-thresholds", "More")
    await page.get_by_role("menuitem", name="Skip…").click()
    await submit(page, Why_do_you_skip_it="The risk team does that tomorrow")
    await wait_for_text(page, "The risk team does that tomorrow")
    await browsing.update(page, "Orders were paused for a few minutes", "The three are blocked")
    await browsing.wait_until_done(page, 2, 60)
    await wait_for_text(page, "Undone by")
    await expect(page.get_by_text("can undo this without a new approval")).to_have_count(0)
    await browsing.take_next_status(page)
    await screenshot(page, "disputes-10-resumed")


async def work_payments(page: Page) -> None:
    """Looked at, handled one by one, replayed."""
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
    await browsing.choose(modal, 0, 1, 2, 3)
    await screenshot(page, "payments-07-work-form")
    await page.get_by_test_id("modal-submit").click()
    await page.get_by_test_id("thread-close").click()
    await expect(page.get_by_role("button", name="Handled", exact=True)).to_have_count(4)
    await press(page, "Handled")
    await wait_for_text(page, "1 of 4 handled")
    await press(page, "Escalate")
    await page.get_by_test_id("confirm-yes").click()
    await wait_for_text(page, "Escalated")
    await press(page, "Several at once…")
    modal = await browsing.form(page)
    for box in (1, 2):  # behind the one for all of them
        await modal.get_by_role("checkbox").nth(box).check()
    await screenshot(page, "payments-07-several")
    await page.get_by_test_id("modal-submit").click()
    await wait_for_text(page, "3 of 4 handled, 1 escalated")
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


async def work_slow_responses(page: Page) -> None:
    """Sessions that block each other are ended, pods are added."""
    # Pods have figures some time after their start.
    await browsing.press_until(page, "Pod resource usage", "3 at 90 % of a limit or above", 75)
    await screenshot(page, "slow-02-busy")

    await press(page, "Scale up")
    await browsing.form(page)
    await screenshot(page, "slow-03-scale-form")
    await submit(page, Reason="CPU is at its limit")
    await wait_for_text(page, "Scale order-service from 3 to 4 replicas")
    await wait_for_text(page, "more approval")
    await approve(page, SLOW)
    await wait_for_text(page, "Watching:")
    await screenshot(page, "slow-04-scaling")

    # While the new pod is watched, the queries.
    await browsing.return_to(page, SLOW)
    await press_until(
        page, "Long queries", "5 sessions busy with one query for more than 5 seconds"
    )
    await press(page, "Kill long queries")
    await submit(page, Longer_than="5 s", Reason="Checkouts wait behind the settlement job")
    await wait_for_text(page, "SELECT settle_orders(current_date)")
    await screenshot(page, "slow-05-plan")
    await approve(page, SLOW)
    await wait_for_text(page, "None of them runs that query any more")
    await screenshot(page, "slow-06-ended")

    await browsing.return_to(page, SLOW)
    await press_until(page, "Long queries", "No query has run for more than 5 seconds")
    await press(page, "Find missing indexes")
    await wait_for_text(page, "indexes that may be missing")
    await page.get_by_test_id("thread-bar").first.click()
    await expect(
        page.get_by_test_id("thread-panel").get_by_text("order_items").last
    ).to_be_visible()
    await screenshot(page, "slow-07-thread")
    await page.get_by_test_id("thread-close").click()

    await browsing.update(page, "Checkout took ten seconds", "The job that held orders is ended")
    await browsing.wait_until_done(page, 2, 40)
    await browsing.take_next_status(page)


async def nothing_to_choose(page: Page) -> None:
    """The scenario is attached already."""


Act = Callable[[Page], Awaitable[None]]


@dataclass(frozen=True)
class Case:
    """How a scenario is declared, which text tells its playbook, how it is worked and ended."""

    scenario: str
    channel: str
    declare: Act
    choose: Act
    playbook: str
    work: Act
    fix: str


CASES = (
    Case(
        "high-dispute-rate",
        DISPUTES,
        declare_as_filled_in,
        choose_high_dispute_rate,
        "… if fraud detected",
        work_disputes,
        "Blocked three users",
    ),
    Case(
        "payment-refund-failures",
        PAYMENTS,
        declare_by_symptoms,
        nothing_to_choose,
        "Payment/Refund Failures",
        work_payments,
        "payment-service was mended, the webhooks were replayed",
    ),
    Case(
        "slow-response-times",
        SLOW,
        declare_as_filled_in,
        nothing_to_choose,
        "Slow Response Times",
        work_slow_responses,
        "Ended the settlement job, it runs at night from now on",
    ),
)


@pytest.mark.parametrize("case", CASES, ids=[case.scenario for case in CASES])
async def test_a_scenario_is_worked(page: Page, case: Case) -> None:
    await browsing.begin_scenario(page, case.scenario)
    await screenshot(page, f"{case.scenario}-filled-in")
    await case.declare(page)
    await browsing.open_channel(page, case.channel)
    await case.choose(page)
    await wait_for_text(page, case.playbook)
    await screenshot(page, f"{case.scenario}-declared")
    await press(page, "Take command")
    await wait_for_text(page, "is the incident commander")

    await case.work(page)

    await browsing.resolve(page, case.fix)
    await screenshot(page, f"{case.scenario}-resolved")
