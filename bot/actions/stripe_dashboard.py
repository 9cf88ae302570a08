"""The pages of Stripe's dashboard, by the id of what they show."""

import re

DASHBOARD = "https://dashboard.stripe.com"
# By the prefix of an id. The page of a charge is that of its payment.
PAGES = {
    "pi": "payments",
    "ch": "payments",
    "py": "payments",
    "re": "refunds",
    "pyr": "refunds",
    "dp": "disputes",
    "du": "disputes",
    "evt": "events",
    "cus": "customers",
}
ID = re.compile(r"([a-z]{2,3})_[A-Za-z0-9]{8,64}")


def page_url(object_id: str, *, live: bool = True) -> str | None:
    """The URL of a payment, refund, dispute, event or customer; None for any other text.

    What is not `live` belongs to Stripe's test mode, which has its own pages.
    """
    match = ID.fullmatch(object_id)
    page = PAGES.get(match[1]) if match else None
    mode = "" if live else "/test"
    return f"{DASHBOARD}{mode}/{page}/{object_id}" if page else None
