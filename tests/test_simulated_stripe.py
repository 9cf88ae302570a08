"""The simulated Stripe refuses what Stripe refuses, and pages as it does."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import ClientSession

from sandbox.stripe import Stripe

Obj = dict[str, Any]


@pytest.fixture
async def stripe() -> AsyncIterator[Stripe]:
    async with Stripe() as started:
        yield started


async def ask(
    stripe: Stripe, query: str = "", *, path: str = "/v1/events", method: str = "GET", **more: str
) -> tuple[int, Obj]:
    headers = {"Authorization": f"Bearer {stripe.key}", **more}
    async with (
        ClientSession() as session,
        session.request(method, f"{stripe.url}{path}{query}", headers=headers) as answer,
    ):
        assert answer.headers["Request-Id"].startswith("req_")
        return answer.status, await answer.json()


@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        ("?limit=0", 400, "Limit must be"),
        ("?limit=101", 400, "Limit must be"),
        ("?limit=ten", 400, "Invalid integer"),
        ("?delivery_success=no", 400, "Invalid boolean"),
        ("?delivered=false", 400, "unknown parameter: delivered"),
        ("?starting_after=evt_none", 400, "No such"),
        ("?starting_after=a&ending_before=b", 400, "both cursors"),
        ("?limit=1&limit=2", 400, "more than once"),
        ("?created[since]=1", 400, "unknown parameter"),
    ],
)
async def test_bad_parameters_are_refused(
    stripe: Stripe, query: str, status: int, words: str
) -> None:
    stripe.add_event("charge.failed")
    answered, body = await ask(stripe, query)

    assert answered == status
    assert words in body["error"]["message"]
    assert body["error"]["type"] == "invalid_request_error"


async def test_who_may_not_is_refused(stripe: Stripe) -> None:
    for key, status in (("", 401), ("rk_test_wrong", 401), (stripe.blind_key, 403)):
        answered, body = await ask(stripe, Authorization=f"Bearer {key}")
        assert answered == status
        assert stripe.blind_key not in str(body)


async def test_only_events_can_be_read(stripe: Stripe) -> None:
    assert (await ask(stripe, path="/v1/charges"))[0] == 404
    assert (await ask(stripe, method="POST"))[0] == 404
    assert (await ask(stripe, **{"Stripe-Version": "yesterday"}))[0] == 400


async def test_events_are_filtered_and_paged(stripe: Stripe) -> None:
    ids = [
        stripe.add_event("charge.failed", ago=10 * number, delivered=number % 2 == 0)
        for number in range(7)
    ]
    lost = ids[1::2]

    _, first = await ask(stripe, "?delivery_success=false&limit=2")
    after = f"&starting_after={first['data'][-1]['id']}"
    _, second = await ask(stripe, f"?delivery_success=false&limit=2{after}")

    assert [event["id"] for event in first["data"] + second["data"]] == lost
    assert (first["has_more"], second["has_more"]) == (True, False)
    assert {event["pending_webhooks"] for event in first["data"]} == {1}

    created = first["data"][0]["created"]
    _, newer = await ask(stripe, f"?created[gt]={created}&type=charge.*")
    assert [event["id"] for event in newer["data"]] == ids[:1]
    _, before = await ask(stripe, f"?ending_before={ids[3]}&limit=2")
    assert [event["id"] for event in before["data"]] == ids[1:3]


async def test_events_end_after_thirty_days(stripe: Stripe) -> None:
    stripe.add_event("charge.failed", ago=31 * 86400.0)

    assert (await ask(stripe))[1]["data"] == []
