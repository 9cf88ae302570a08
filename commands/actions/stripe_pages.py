"""Where Stripe's dashboard shows what an id names."""

import re

DASHBOARD = "https://dashboard.stripe.com"
# By what an id begins with. A charge is a part of its payment, and is shown there.
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


def link(id: str, *, live: bool = True) -> str | None:
    """The page of a payment, refund, dispute, event or customer; None for any other text.

    What is not `live` belongs to Stripe's test mode, which has pages of its own.
    """
    match = ID.fullmatch(id)
    page = PAGES.get(match[1]) if match else None
    mode = "" if live else "/test"
    return f"{DASHBOARD}{mode}/{page}/{id}" if page else None
