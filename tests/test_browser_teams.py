"""An incident of two teams, worked in a browser: each approves the changes of its own service."""

import pytest
from playwright.async_api import Page, expect

from tests import browsing
from tests.browsing import (
    browser,
    choose,
    form,
    open_channel,
    page,
    press,
    press_until,
    say,
    screenshot,
    submit,
    switch_user,
    wait_for_text,
)
from tests.browsing import hurried as address

__all__ = ["address", "browser", "page"]

CHANNEL = "inc-1-orders-nobody-can-pay"
REFUSAL = (
    "You are not an approver of payment-service. Nothing was approved; ask one of its approvers"
)

pytestmark = browsing.MARKS


async def test_two_teams_work_one_incident(page: Page) -> None:
    await browsing.begin_scenario(page, "payments-declined")
    await screenshot(page, "teams-00-filled-in")
    await say(page, "/incident declare sev2 Orders: nobody can pay")
    await open_channel(page, CHANNEL)
    await choose(page, "Payment/Refund Failures")
    await wait_for_text(page, "Check webhook logs")
    await press(page, "Take command")
    await press_until(page, "Webhook logs", "payment declined: payment-service answered 402")
    await screenshot(page, "teams-01-orders")

    await take_in_payments(page)
    await look_at_payments(page)
    await press(page, "Roll back payments")
    await form(page)
    await screenshot(page, "teams-04-form")
    await submit(page, Reason="Cards are declined since v1.19.0")
    await wait_for_text(page, "1 more approval by somebody else from the approvers")
    await screenshot(page, "teams-05-waits")

    await be_refused(page, "second")
    await browsing.approve(page, CHANNEL, "payments-lead")
    await browsing.wait_until_done(page, 1, 60)
    await screenshot(page, "teams-07-done")

    await browsing.return_to(page, CHANNEL)
    await press_until(page, "Payments in eu-west", "2 of 2 ready")
    await press(page, "Webhook logs")
    await browsing.resolve(page, "Rolled payment-service back to v1.18.0")
    await screenshot(page, "teams-08-resolved")


async def take_in_payments(page: Page) -> None:
    """The incident takes in the other team, whose playbook appears beside the first one."""
    await say(page, "/incident service add payments")
    await wait_for_text(page, "took in Payments")
    await choose(page, "Cards Are Declined")
    await wait_for_text(page, "Far more cards are declined than usual")
    await screenshot(page, "teams-02-both")


async def look_at_payments(page: Page) -> None:
    """Both of its clusters, its database and its logs."""
    await press_until(page, "Payments in us-east", "2 of 2 ready")
    await press(page, "Payments in eu-west")
    await press(page, "Why cards are declined")
    await wait_for_text(page, "1 reason with more than 5 declines in 15 minutes")
    await press_until(page, "Payment logs", "declined by provider: 402 currency_not_supported")
    await screenshot(page, "teams-03-payments")


async def be_refused(page: Page, person: str) -> None:
    """Press *Approve* as somebody who may not."""
    await switch_user(page, person)
    await open_channel(page, CHANNEL)
    await press(page, "Approve")
    confirm = page.get_by_test_id("confirm-yes")
    refusal = page.get_by_text(REFUSAL)
    await expect(confirm.or_(refusal).first).to_be_visible()
    if await confirm.count():
        await confirm.click()
    await expect(refusal).to_be_visible()
    await screenshot(page, "teams-06-refused")


@pytest.mark.parametrize("person", ["payments-oncall", "payments-lead"])
async def test_everybody_is_one_press_away(page: Page, person: str) -> None:
    await switch_user(page, person)

    team = page.get_by_role("group", name="Payments", exact=True)
    await expect(team.get_by_role("button")).to_have_count(2)
    await expect(team.locator(f'[data-person="{person}"]')).to_have_attribute(
        "aria-pressed", "true"
    )
