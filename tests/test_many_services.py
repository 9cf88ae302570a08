"""Two hundred services: searched, listed within Slack's limits, declared as fast as one."""

from collections import Counter
from pathlib import Path

import pytest

from bot.views import action_ids
from sandbox.slack import Slack, User
from tests.conftest import Walk
from tests.services import write_many_services

COUNT = 200


@pytest.fixture
def count() -> int:
    return COUNT


@pytest.fixture
def team(tmp_path: Path, count: int) -> Path:
    """Some services, and two hundred more with a playbook each."""
    return write_many_services(tmp_path, count)


async def suggested(walk: Walk, typed: str, action_id: str, who: str = "oncall") -> list[str]:
    """What the search in the form on top offers."""
    view = walk.slack.views(who)[-1]["id"]
    found = await walk.slack.suggest(who, typed, action_id=action_id, view_id=view)
    return [option["text"]["text"] for option in found]


async def test_the_form_searches_services(walk: Walk) -> None:
    await walk.say("oncall", "/incident declare It is odd")

    assert await suggested(walk, "Shop 19", action_ids.FORM_SERVICE) == [
        "Shop 19",
        *(f"Shop {number}" for number in range(190, 200)),
    ]
    assert await suggested(walk, "pay", action_ids.FORM_SERVICE) == ["Pay API", "Pay Web"]
    assert await suggested(walk, "web", action_ids.FORM_SERVICE) == ["Pay Web"]
    assert await suggested(walk, "chekout", action_ids.FORM_SERVICE) == ["Checkout"]
    assert await suggested(walk, "zzzz", action_ids.FORM_SERVICE) == []
    assert len(await suggested(walk, "s", action_ids.FORM_SERVICE)) == 100


async def test_a_found_service_has_its_symptoms(walk: Walk) -> None:
    await walk.say("oncall", "/incident declare It is odd")
    await suggested(walk, "checkout", action_ids.FORM_SERVICE)

    view = walk.slack.views("oncall")[-1]["id"]
    await walk.slack.press(
        "oncall", action_id=action_ids.FORM_SERVICE, view_id=view, value="checkout"
    )
    await walk.bot.drain()

    assert walk.form().fields["service"].value == "Checkout"
    symptoms = [name for name in walk.form().fields if name.startswith("symptoms")]
    assert symptoms == ["symptoms:0:checkout/carts"]


async def test_the_channel_searches_services(walk: Walk) -> None:
    await walk.say("oncall", "/incident declare sev1 the site is down")
    channel = "inc-1-the-site-is-down"
    menu = action_ids.CHOOSE_SERVICE

    found = await walk.slack.suggest("oncall", "shop 77", action_id=menu, channel=channel)
    await walk.press("oncall", menu, channel, "shop-77")

    assert [option["value"] for option in found] == ["shop-77"]
    assert walk.card(channel)["Small print"].startswith("shop-77 · ")


async def test_playbooks_are_searched(walk: Walk) -> None:
    await walk.say("oncall", "/incident declare sev1 shop-7: it times out")
    channel = "inc-1-shop-7-it-times-out"
    await walk.say("oncall", "/incident playbook", channel)

    assert await suggested(walk, "carts shop 42", "scenario") == ["SEV-1 · Carts Stuck (shop-42)"]
    assert await suggested(walk, "index", "scenario") == ["SEV-1 · Index Broken (search)"]
    assert len(await suggested(walk, "sev1", "scenario")) == 100

    await suggested(walk, "results", "scenario")
    await walk.submit("oncall", scenario="search/empty")
    assert walk.posts(channel)[1].heading == ":notebook: No Results"


async def test_strangers_find_nothing(walk: Walk, slack: Slack) -> None:
    await walk.say("oncall", "/incident declare sev1 the site is down")
    channel = slack.workspace.channel("inc-1-the-site-is-down")
    slack.workspace.add_user(User("visitor", "Visitor", kind="guest", id="U0VISIT0R"))
    channel.members.append("U0VISIT0R")

    found = await slack.suggest(
        "visitor", "shop", action_id=action_ids.CHOOSE_SERVICE, channel=channel.name
    )

    assert found == []


@pytest.mark.parametrize("count", [0, COUNT])
async def test_declaring_makes_no_more_calls(walk: Walk) -> None:
    before = len(walk.slack.calls)
    await walk.say("oncall", "/incident declare sev1 checkout: it times out")

    assert Counter(call.method for call in walk.slack.calls[before:]) == {
        "users.info": 1,
        "conversations.create": 1,
        "conversations.invite": 2,
        "conversations.setTopic": 1,
        "chat.postMessage": 3,
        "pins.add": 1,
    }
