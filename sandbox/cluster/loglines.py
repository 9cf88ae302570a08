"""The words of a shop's services: JSON lines, mostly dull, with the odd warning."""

import json
import random
from datetime import datetime, timedelta
from typing import NamedTuple

from sandbox.cluster.clock import micro_stamp

SPACING = 1.7
LOOK_BACK = timedelta(minutes=20)


class Line(NamedTuple):
    """One line and when it was written."""

    at: datetime
    text: str


def opening_lines(image: str, now: datetime) -> list[Line]:
    """What a service says when it starts."""
    service, version = _service(image)
    said = (
        f"starting {service} {version}",
        "connected to postgres tickettoken-postgres:5432/orders (pool 20)",
        "connected to redis tickettoken-redis:6379",
        "consuming queue orders.created on tickettoken-rabbitmq:5672",
        "listening on 0.0.0.0:3005",
    )
    moments = [now + timedelta(milliseconds=3 * at) for at in range(len(said))]
    return [
        Line(at, _json(at, "info", service, words)) for at, words in zip(moments, said, strict=True)
    ]


def working_lines(image: str, seed: str, start: datetime, now: datetime) -> list[Line]:
    """What it says from `start` until `now`: the same for the same pod and the same moment."""
    service, _ = _service(image)
    at = max(start, now - LOOK_BACK)
    lines = []
    step = int(at.timestamp() / SPACING) + 1
    while (moment := step * SPACING) <= now.timestamp():
        dice = random.Random(f"{seed}/{step}")
        when = datetime.fromtimestamp(moment, tz=now.tzinfo)
        level, words, more = _happening(dice)
        lines.append(Line(when, _json(when, level, service, words, **more)))
        step += 1
    return lines


def _service(image: str) -> tuple[str, str]:
    path, _, version = image.rpartition(":")
    return path.rpartition("/")[2], version


def _json(at: datetime, level: str, service: str, words: str, **more: object) -> str:
    told: dict[str, object] = {"level": level, "time": micro_stamp(at), "service": service}
    return json.dumps(told | more | {"msg": words}, separators=(",", ":"))


def _happening(dice: random.Random) -> tuple[str, str, dict[str, object]]:
    order = f"ord_{dice.randrange(16**8):08x}"
    luck = dice.random()
    if luck < 0.02:
        return _error(dice, order)
    if luck < 0.08:
        return _warning(dice, order)
    if luck < 0.35:
        return _webhook(dice, order)
    status = dice.choice((200, 200, 200, 201, 201, 304, 404))
    words = f"{dice.choice(('GET', 'POST'))} /orders/{order} {status}"
    return "info", words, {"status": status, "ms": dice.randrange(4, 90)}


def _webhook(dice: random.Random, order: str) -> tuple[str, str, dict[str, object]]:
    event = dice.choice(
        ("payment_intent.succeeded", "charge.refunded", "checkout.session.completed")
    )
    number = f"evt_1Q{dice.randrange(16**10):010x}"
    return "info", f"stripe webhook {event} processed", {"event": number, "order": order}


def _warning(dice: random.Random, order: str) -> tuple[str, str, dict[str, object]]:
    words = dice.choice(
        (
            "slow query: SELECT … FROM orders WHERE user_id = $1",
            "stripe webhook delivered twice, ignored by idempotency key",
            "inventory hold expires in under a minute",
        )
    )
    return "warn", words, {"order": order, "ms": dice.randrange(900, 2600)}


def _error(dice: random.Random, order: str) -> tuple[str, str, dict[str, object]]:
    words = dice.choice(
        (
            "payment declined: card_declined (insufficient_funds)",
            "stripe webhook signature verification failed",
        )
    )
    return "error", words, {"order": order}
