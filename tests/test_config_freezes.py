"""When a freeze is on: its first and last moment, midnight, the new year, and summer time."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from bot.config import Freeze, Policy, ServiceConfig
from bot.model import FreezeNotice

BERLIN, UTC_ZONE = ZoneInfo("Europe/Berlin"), ZoneInfo("UTC")
HOLIDAYS = {"from": "2026-12-23 18:00", "until": "2027-01-02 08:00", "reason": "Holidays"}
WEEKEND = {"weekly": ["fri 16:00", "mon 08:00"], "timezone": "Europe/Berlin"}
NIGHT = {"weekly": ["tue 22:00", "wed 06:00"]}
# Clocks go from 03:00 back to 02:00 on 25 October 2026, and forward on 28 March 2027.
AUTUMN = {"weekly": ["sun 02:30", "sun 02:45"], "timezone": "Europe/Berlin"}


def freeze(values: Any) -> Freeze:
    return Freeze.model_validate(values)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("given", "now", "end"),
    [
        (HOLIDAYS, "2026-12-23 17:59:59", None),
        (HOLIDAYS, "2026-12-23 18:00", "2027-01-02 08:00"),
        (HOLIDAYS, "2027-01-01 00:00", "2027-01-02 08:00"),
        (HOLIDAYS, "2027-01-02 07:59:59", "2027-01-02 08:00"),
        (HOLIDAYS, "2027-01-02 08:00", None),
        (HOLIDAYS | {"timezone": "Europe/Berlin"}, "2026-12-23 16:59:59", None),
        (HOLIDAYS | {"timezone": "Europe/Berlin"}, "2026-12-23 17:00", "2027-01-02 07:00"),
        # In winter Berlin is one hour ahead, in summer two.
        (WEEKEND, "2026-11-27 14:59:59", None),
        (WEEKEND, "2026-11-27 15:00", "2026-11-30 07:00"),
        (WEEKEND, "2026-11-29 23:30", "2026-11-30 07:00"),
        (WEEKEND, "2026-11-30 06:59:59", "2026-11-30 07:00"),
        (WEEKEND, "2026-11-30 07:00", None),
        (WEEKEND, "2026-07-03 13:59:59", None),
        (WEEKEND, "2026-07-03 14:00", "2026-07-06 06:00"),
        # It begins in summer time and ends in winter time, and the other way round.
        (WEEKEND, "2026-10-23 14:00", "2026-10-26 07:00"),
        (WEEKEND, "2027-03-26 15:00", "2027-03-29 06:00"),
        (WEEKEND, "2027-01-01 15:00", "2027-01-04 07:00"),
        (NIGHT, "2026-11-24 21:59", None),
        (NIGHT, "2026-11-24 22:00", "2026-11-25 06:00"),
        (NIGHT, "2026-11-25 00:00", "2026-11-25 06:00"),
        (NIGHT, "2026-11-25 06:00", None),
        (NIGHT, "2026-11-25 22:00", None),
        # 02:30 and 02:45 come twice: from the first beginning to the second end.
        (AUTUMN, "2026-10-25 00:29:59", None),
        (AUTUMN, "2026-10-25 00:30", "2026-10-25 01:45"),
        (AUTUMN, "2026-10-25 01:00", "2026-10-25 01:45"),
        (AUTUMN, "2026-10-25 01:45", None),
    ],
)
def test_a_freeze_has_two_ends(given: Any, now: str, end: str | None) -> None:
    assert freeze(given).end_at(at(now), UTC_ZONE) == (end and at(end))


def test_hours_give_the_time_zone() -> None:
    config = ServiceConfig.model_validate(
        {"hours": {"timezone": "Europe/Berlin"}, "policy": {"freezes": [HOLIDAYS]}}
    )

    assert config.freeze_at(at("2026-12-23 17:00")) == FreezeNotice(
        reason="Holidays", until=at("2027-01-02 07:00")
    )


def test_the_last_end_counts() -> None:
    policy = Policy.model_validate({"freezes": [HOLIDAYS, WEEKEND]})
    config = ServiceConfig(policy=policy)

    notice = config.freeze_at(at("2026-12-26 12:00"))

    assert notice == FreezeNotice(reason="Holidays", until=at("2027-01-02 08:00"))


@pytest.mark.parametrize(
    ("given", "mistake"),
    [
        ({}, "expects either from and until, or weekly"),
        (HOLIDAYS | NIGHT, "expects either from and until, or weekly"),
        ({"from": "2026-12-23 18:00"}, "expects both from and until"),
        (HOLIDAYS | {"until": "2026-12-23 18:00"}, "its from must be before its until"),
        (HOLIDAYS | {"until": "2027-01-02"}, "expects a date and time such as 2026-12-24 18:00"),
        (HOLIDAYS | {"from": "2026-12-23T18:00+01:00"}, "without an offset"),
        ({"weekly": ["fri 16:00", "fri 16:00"]}, "its weekly beginning and end are the same"),
        ({"weekly": ["fri 24:00", "mon 08:00"]}, "expects a day and time such as fri 16:00"),
        ({"weekly": ["friday 16:00", "mon 08:00"]}, "expects a day and time such as fri 16:00"),
        (NIGHT | {"timezone": "Berlin"}, "timezone"),
    ],
)
def test_a_wrong_freeze_is_refused(given: Any, mistake: str) -> None:
    with pytest.raises(ValidationError, match=mistake):
        freeze(given)
