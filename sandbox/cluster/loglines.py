"""Log lines of the shop's services: JSON, mostly info, with a few warnings and errors."""

import json
import random
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from sandbox.cluster import paymentlines
from sandbox.cluster.clock import micro_stamp

LINE_SECONDS = 1.7
LOOK_BACK = timedelta(minutes=20)
Trouble = Literal["payments", "disputes", "slow", "declined", "provider"]
# Level, message, and more fields.
LogEvent = tuple[str, str, dict[str, object]]


ORDER_OPENING = (
    "connected to postgres tickettoken-postgres:5432/orders (pool 20)",
    "connected to redis tickettoken-redis:6379",
    "consuming queue orders.created on tickettoken-rabbitmq:5672",
    "listening on 0.0.0.0:3005",
)
OPENINGS = {
    "payment-service": (
        "connected to postgres payments-postgres:5432/payments (pool 10)",
        "provider https://api.cardprovider.example/v2, timeout 5000 ms",
        "listening on 0.0.0.0:3006",
    ),
    "storefront": ("catalogue cached: 214 events", "listening on 0.0.0.0:3000"),
}


class Line(NamedTuple):
    """One log line and when it was written."""

    at: datetime
    text: str


def opening_lines(image: str, now: datetime) -> list[Line]:
    """The lines that a service logs when it starts."""
    service, version = _service(image)
    messages = (f"starting {service} {version}", *OPENINGS.get(service, ORDER_OPENING))
    moments = [now + timedelta(milliseconds=3 * index) for index in range(len(messages))]
    return [
        Line(moment, _json_line(moment, "info", service, message))
        for moment, message in zip(moments, messages, strict=True)
    ]


def working_lines(
    image: str, seed: str, start: datetime, now: datetime, trouble: Trouble | None = None
) -> list[Line]:
    """What it says from `start` until `now`: the same for the same pod and the same moment.

    There are as many lines in trouble as there would be without.
    """
    service, _ = _service(image)
    random_event = paymentlines.random_event if service == "payment-service" else _random_event
    begin = max(start, now - LOOK_BACK)
    lines = []
    step = int(begin.timestamp() / LINE_SECONDS) + 1
    while (moment := step * LINE_SECONDS) <= now.timestamp():
        rng = random.Random(f"{seed}/{step}")
        written_at = datetime.fromtimestamp(moment, tz=now.tzinfo)
        level, message, more = random_event(rng, trouble)
        lines.append(Line(written_at, _json_line(written_at, level, service, message, **more)))
        step += 1
    return lines


def _service(image: str) -> tuple[str, str]:
    path, _, version = image.rpartition(":")
    return path.rpartition("/")[2], version


def _json_line(at: datetime, level: str, service: str, message: str, **more: object) -> str:
    fields: dict[str, object] = {"level": level, "time": micro_stamp(at), "service": service}
    return json.dumps(fields | more | {"msg": message}, separators=(",", ":"))


def service_of(image: str) -> str:
    """The name of the service that an image belongs to."""
    return _service(image)[0]


def _random_event(rng: random.Random, trouble: Trouble | None) -> LogEvent:
    order = f"ord_{rng.randrange(16**8):08x}"
    chance = rng.random()
    if trouble in TROUBLES and chance < 0.35:
        return TROUBLES[trouble](rng, order)
    if chance < 0.02:
        return _error(rng, order)
    if chance < 0.08:
        return _warning(rng, order)
    if chance < 0.35:
        return _webhook(rng, order)
    status = rng.choice((200, 200, 200, 201, 201, 304, 404))
    message = f"{rng.choice(('GET', 'POST'))} /orders/{order} {status}"
    return "info", message, {"status": status, "ms": rng.randrange(4, 90)}


def _payments(rng: random.Random, order: str) -> LogEvent:
    number = f"evt_1Q{rng.randrange(16**10):010x}"
    confirm = "POST http://payment-service:3006/intents/confirm"
    level, message = rng.choice(
        (
            ("error", f"stripe webhook not processed: timeout of 5000ms exceeded: {confirm}"),
            ("error", "payment not confirmed: payment-service answered 503 Service Unavailable"),
            ("error", "refund not sent to stripe: payment-service answered 503"),
            ("warn", "stripe webhook answered with 500, stripe will deliver it again"),
        )
    )
    return level, message, {"event": number, "order": order}


def _disputes(rng: random.Random, order: str) -> LogEvent:
    level, message = rng.choice(
        (
            ("warn", "stripe webhook charge.dispute.created processed: reason fraudulent"),
            ("warn", "stripe radar: elevated risk, card used by one user for many orders"),
            ("info", "stripe webhook payment_intent.succeeded processed"),
        )
    )
    return level, message, {"order": order}


def _slow(rng: random.Random, order: str) -> LogEvent:
    level, message, least = rng.choice(
        (
            ("error", f"PATCH /orders/{order} 504: canceled after 10000 ms in the pool", 10_000),
            ("warn", "slow query: UPDATE orders SET status = $1 WHERE id = $2", 5_000),
            ("warn", "under pressure: event loop delay 1310 ms, CPU throttled", 1_300),
        )
    )
    return level, message, {"order": order, "ms": least + rng.randrange(900)}


def _declined(rng: random.Random, order: str) -> LogEvent:
    level, message = rng.choice(
        (
            ("error", "payment declined: payment-service answered 402 currency_not_supported"),
            ("error", "checkout given up: payment was declined three times"),
            ("warn", "seats released: the order was not paid within 10 minutes"),
        )
    )
    return level, message, {"order": order}


TROUBLES = {
    "payments": _payments,
    "disputes": _disputes,
    "slow": _slow,
    "declined": _declined,
    "provider": _payments,
}


def _webhook(rng: random.Random, order: str) -> LogEvent:
    event = rng.choice(
        ("payment_intent.succeeded", "charge.refunded", "checkout.session.completed")
    )
    number = f"evt_1Q{rng.randrange(16**10):010x}"
    return "info", f"stripe webhook {event} processed", {"event": number, "order": order}


def _warning(rng: random.Random, order: str) -> LogEvent:
    message = rng.choice(
        (
            "slow query: SELECT … FROM orders WHERE user_id = $1",
            "stripe webhook delivered twice, ignored by idempotency key",
            "inventory hold expires in under a minute",
        )
    )
    return "warn", message, {"order": order, "ms": rng.randrange(900, 2600)}


def _error(rng: random.Random, order: str) -> LogEvent:
    message = rng.choice(
        (
            "payment declined: card_declined (insufficient_funds)",
            "stripe webhook signature verification failed",
        )
    )
    return "error", message, {"order": order}
