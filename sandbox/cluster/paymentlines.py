"""Log lines of payment-service: what it asked the card provider, and what that answered."""

import random

Event = tuple[str, str, dict[str, object]]
DECLINES = ("insufficient_funds", "expired_card", "do_not_honor")


def random_event(rng: random.Random, trouble: str | None) -> Event:
    """Level, message and more fields; trouble is that of `loglines.Trouble`, others are none."""
    payment = f"pay_{rng.randrange(16**8):08x}"
    chance = rng.random()
    if trouble in TROUBLES and chance < 0.6:
        return TROUBLES[trouble](rng, payment)
    if chance < 0.03:
        return "warn", f"payment declined: {rng.choice(DECLINES)}", {"payment": payment}
    if chance < 0.07:
        return "warn", "provider was slow", {"payment": payment, "ms": rng.randrange(1200, 2600)}
    if chance < 0.3:
        return "info", f"intent {payment} created", {"payment": payment}
    took = rng.randrange(140, 620)
    return "info", f"payment {payment} authorised", {"payment": payment, "ms": took}


def _declined(rng: random.Random, payment: str) -> Event:
    level, message = rng.choice(
        (
            ("error", "payment declined by provider: 402 currency_not_supported (currency=null)"),
            ("error", "payment declined by provider: 402 currency_not_supported (currency=null)"),
            ("warn", "amount sent without currency, field renamed in v1.19.0"),
        )
    )
    return level, message, {"payment": payment}


def _provider(rng: random.Random, payment: str) -> Event:
    level, message = rng.choice(
        (
            ("error", "provider timeout after 5000 ms: POST https://api.cardprovider.example/v2"),
            ("error", "no free worker: 32 of 32 wait for the provider"),
            ("warn", "provider answered late, payment kept as PENDING"),
        )
    )
    return level, message, {"payment": payment, "ms": 5000 + rng.randrange(4000)}


TROUBLES = {"declined": _declined, "provider": _provider, "payments": _provider}
