"""Declaring with several services: named, proposed by the team's channel, or asked for."""

from pathlib import Path
from typing import Any

import pytest

from bot.views import action_ids
from sandbox.slack import Slack
from tests.conftest import Clock, Walk
from tests.services import LEAD, SECOND, write_services

UNKNOWN = (
    ":compass: Which service is it? {}Its responders are invited and its clocks run once somebody "
    "chooses it, or one of its playbooks."
)
DID_YOU_MEAN = "Did you mean {}? "
STEPS = ":notebook: {}"


@pytest.fixture
def team(tmp_path: Path, slack: Slack) -> Path:
    """Three services; two have a playbook, and one a channel of its own."""
    slack.workspace.add_channel("team-checkout", [LEAD, SECOND])
    slack.join("oncall", "team-checkout")
    return write_services(tmp_path)


def playbook(walk: Walk, channel: str) -> str:
    """What stands in place of the playbook."""
    return walk.posts(channel)[1].heading


def service(walk: Walk, channel: str) -> str:
    """The service that the card names."""
    return walk.card(channel)["Small print"].split(" · ")[0]


def members(walk: Walk, channel: str) -> set[str]:
    """The handles of the people in a channel."""
    found = next(each for each in walk.slack.workspace.channels.values() if each.name == channel)
    users = walk.slack.workspace.users
    return {users[user].handle for user in found.members} - {"runbolt"}


@pytest.mark.parametrize(
    "typed",
    ["sev1 checkout: it times out", "checkout sev1 it times out", "sev1 Checkout: it times out"],
)
async def test_a_named_service_has_its_playbook(walk: Walk, typed: str) -> None:
    await walk.say("oncall", f"/incident declare {typed}")

    channel = "inc-1-checkout-it-times-out"
    assert service(walk, channel) == "checkout"
    assert playbook(walk, channel) == STEPS.format("Carts Stuck")
    assert members(walk, channel) == {"oncall", "second"}
    assert walk.answer("oncall") == f"Declared SEV-1 INC-1: #{channel}."


async def test_a_name_alone_declares(walk: Walk) -> None:
    await walk.say("oncall", "/incident declare sev1 checkout")

    assert playbook(walk, "inc-1-checkout-carts-stuck") == STEPS.format("Carts Stuck")


async def test_words_that_do_not_fit_ask(walk: Walk) -> None:
    await walk.say("oncall", "/incident declare sev1 checkout: the logo is blue")

    channel = "inc-1-checkout-the-logo-is-blue"
    assert playbook(walk, channel) == (
        ":notebook: Which playbook fits? Choose one of those for SEV-1: its steps then appear here "
        "as buttons. For all playbooks: `/incident playbook`."
    )
    assert members(walk, channel) == {"oncall", "second"}

    await walk.press("oncall", action_ids.CHOOSE_SCENARIO, channel, "checkout/carts")
    assert playbook(walk, channel) == STEPS.format("Carts Stuck")


@pytest.mark.parametrize(
    ("typed", "asked"),
    [
        ("chekout: carts hang", DID_YOU_MEAN.format("Checkout")),
        ("pay page blank", DID_YOU_MEAN.format("Pay API or Pay Web")),
        ("nobody finds anything in search", DID_YOU_MEAN.format("Search")),
        ("the site is down", ""),
    ],
)
async def test_what_is_not_sure_is_asked(walk: Walk, typed: str, asked: str) -> None:
    await walk.say("oncall", f"/incident declare sev1 {typed}")

    channel = f"inc-1-{typed.replace(': ', '-').replace(' ', '-')}"
    assert service(walk, channel) == "no service yet"
    assert playbook(walk, channel) == UNKNOWN.format(asked)
    # Nobody's people but those of the defaults, of which there are none.
    assert members(walk, channel) == {"oncall"}
    assert walk.answer("oncall") == (
        f"Declared SEV-1 INC-1: #{channel}. Choose there which service it is."
    )


async def test_a_press_brings_all_of_the_service(walk: Walk, clock: Clock) -> None:
    await walk.say("oncall", "/incident declare sev1 chekout: carts hang")
    channel = "inc-1-chekout-carts-hang"
    assert walk.card(channel)["Next update due"].startswith("2026-11-24 10:15 UTC")

    await walk.press("second", f"{action_ids.TAKE_SERVICE}.0", channel, "checkout")

    assert service(walk, channel) == "checkout"
    assert playbook(walk, channel) == STEPS.format("Carts Stuck")
    assert members(walk, channel) == {"oncall", "second"}
    # The clock of its team.
    assert walk.card(channel)["Next update due"].startswith("2026-11-24 10:05 UTC")
    assert walk.posts(channel)[-1].heading == (
        ":compass: @second chose the service Checkout, with the playbook Carts Stuck"
    )


async def test_its_menu_has_all_services(walk: Walk) -> None:
    await walk.say("oncall", "/incident declare sev1 the site is down")
    channel = "inc-1-the-site-is-down"

    await walk.press("oncall", action_ids.CHOOSE_SERVICE, channel, "search")

    assert service(walk, channel) == "search"
    assert playbook(walk, channel).startswith(":notebook: Which playbook fits?")
    assert members(walk, channel) == {"oncall", "lead"}
    assert await walk.timeline(channel) == [
        "@oncall declared SEV-1: the site is down",
        "@oncall chose the service Search",
    ]


async def test_a_playbook_chooses_the_service(walk: Walk) -> None:
    await walk.say("oncall", "/incident declare sev1 the site is down")
    channel = "inc-1-the-site-is-down"

    await walk.press("oncall", action_ids.CHOOSE_SCENARIO, channel, "checkout/carts")

    assert service(walk, channel) == "checkout"
    assert members(walk, channel) == {"oncall", "second"}
    assert walk.posts(channel)[-1].heading == (
        ":notebook: @oncall chose the playbook Carts Stuck of Checkout"
    )


@pytest.mark.parametrize(
    ("action_id", "block_id", "value"),
    [
        (action_ids.CHOOSE_SERVICE, "scenarios:", "checkout"),
        (f"{action_ids.TAKE_SERVICE}.0", "services:likely", "checkout"),
        (action_ids.CHOOSE_SCENARIO, "scenarios:", "checkout/carts"),
    ],
    ids=["menu", "button", "playbook"],
)
async def test_the_first_service_chosen_stays(
    walk: Walk, action_id: str, block_id: str, value: str
) -> None:
    await walk.say("oncall", "/incident declare sev1 chekout hangs")
    channel = "inc-1-chekout-hangs"
    walk.slack.join("second", channel)
    ts = walk.posts(channel)[1].ts
    await walk.press("oncall", action_ids.CHOOSE_SERVICE, channel, "search")

    # As the message was when somebody else saw it.
    await walk.slack.press(
        "second", action_id=action_id, channel=channel, ts=ts, block_id=block_id, value=value
    )
    await walk.bot.drain()

    assert service(walk, channel) == "search"
    assert walk.answers("second", channel) == [
        "“Search” was already chosen. Nothing was changed. To choose another service, use "
        "`/incident playbook`."
    ]


async def test_a_service_without_playbook(walk: Walk) -> None:
    await walk.say("oncall", "/incident declare sev1 pay-web: blank")

    channel = "inc-1-pay-web-blank"
    assert service(walk, channel) == "pay-web"
    assert playbook(walk, channel) == (
        ":notebook: Pay Web has no playbook. Another service's: `/incident playbook`."
    )
    assert walk.card(channel)["Small print"] == (
        "pay-web · SEV-1: Critical · first response within 15 min"
    )


async def test_a_teams_channel_proposes_its_service(walk: Walk) -> None:
    await walk.say("oncall", "/incident declare sev1 carts hang", "team-checkout")

    channel = "inc-1-carts-hang"
    assert service(walk, channel) == "checkout"
    assert playbook(walk, channel) == STEPS.format("Carts Stuck")
    assert walk.card(channel)["Service"] == ("Checkout, because it was declared in #team-checkout")

    await walk.press("oncall", action_ids.OTHER_SERVICE, channel)
    await walk.slack.submit(
        "oncall", walk.slack.views("oncall")[-1]["id"], {"service": {"service": "search"}}
    )
    await walk.bot.drain()
    await walk.slack.settled()

    assert service(walk, channel) == "search"
    assert "Service" not in walk.card(channel)
    assert members(walk, channel) == {"oncall", "second", "lead"}


async def test_a_name_counts_more_than_the_channel(walk: Walk) -> None:
    await walk.say("oncall", "/incident declare sev1 search: empty", "team-checkout")

    assert service(walk, "inc-1-search-empty") == "search"
    assert "Service" not in walk.card("inc-1-search-empty")


async def test_a_doubt_counts_more_than_the_channel(walk: Walk) -> None:
    await walk.say("oncall", "/incident declare sev1 serach: empty", "team-checkout")

    channel = "inc-1-serach-empty"
    assert service(walk, channel) == "no service yet"
    assert playbook(walk, channel) == UNKNOWN.format(DID_YOU_MEAN.format("Search or Checkout"))


async def test_two_services_fail_alike(walk: Walk) -> None:
    await walk.say("oncall", "/incident declare sev1 it is down", "team-checkout")
    await walk.say("second", "/incident declare sev1 it is down")

    assert len(walk.calls("conversations.create")) == 2


async def test_an_unknown_service_can_be_worked(walk: Walk, clock: Clock) -> None:
    """Everything of a channel works before anybody says which service it is."""
    await walk.say("oncall", "/incident declare sev1 the site is down")
    channel = "inc-1-the-site-is-down"
    await walk.press("oncall", action_ids.TAKE_COMMAND, channel, "1")
    await walk.say("oncall", "/incident update", channel)
    await walk.submit("oncall", impact="Nobody buys", current="We look")
    for said in (
        "severity sev2",
        "status identified",
        "note x",
        "contacts",
        "customer",
        "severity",
    ):
        await walk.say("oncall", f"/incident {said}", channel)
    assert walk.answers("oncall", channel)[1] == (
        "Nobody has chosen the service of INC-1. Nothing was done; choose it in the channel first."
    )
    await walk.say("oncall", "/incident resolve", channel)
    await walk.submit("oncall", resolution="It is over")

    assert walk.card(channel)["Status"] == "Resolved"
    assert playbook(walk, channel) == ":notebook: No playbook was chosen."


@pytest.mark.parametrize("said", ["declare checkout: it times out", "declare checkout"])
async def test_the_form_knows_the_service(walk: Walk, said: str) -> None:
    await walk.say("oncall", f"/incident {said}")

    form = walk.form()
    assert form.fields["service"].value == "Checkout"
    assert form.fields["service"].options == ("Checkout", "Pay API", "Pay Web", "Search")
    assert form.fields["symptoms:0:checkout/carts"].options == (
        "Carts hang",
        "Timeouts in the cart",
    )
    assert form.fields["title"].value == said.removeprefix("declare ")
    assert not any(name.startswith("symptoms:0:search") for name in form.fields)


async def test_the_form_of_a_teams_channel(walk: Walk) -> None:
    await walk.say("oncall", "/incident declare it times out", "team-checkout")

    assert walk.form().fields["service"].value == "Checkout"


async def test_the_form_asks_what_is_not_sure(walk: Walk) -> None:
    await walk.say("oncall", "/incident declare pay page blank")

    assert walk.form().text == (
        ":compass: Did you mean Pay API or Pay Web? Choose the service, and its symptoms and "
        "playbooks appear here."
    )
    assert list(walk.form().fields) == ["title", "service", "severity"]


async def choose(walk: Walk, service: str) -> None:
    """Choose a service in the form on top."""
    await walk.slack.press(
        "oncall",
        action_id=action_ids.FORM_SERVICE,
        view_id=walk.slack.views("oncall")[-1]["id"],
        value=service,
    )
    await walk.bot.drain()


async def test_symptoms_follow_the_service(walk: Walk) -> None:
    await walk.say("oncall", "/incident declare It is odd")
    await choose(walk, "search")
    assert [name for name in walk.form().fields if "search" in name] == [
        "symptoms:0:search/index",
        "symptoms:0:search/empty",
        "scenario:search",
    ]

    await choose(walk, "checkout")
    view = walk.slack.views("oncall")[-1]
    await walk.slack.press(
        "oncall",
        action_id=action_ids.TICK_SYMPTOM,
        view_id=view["id"],
        block_id="symptoms:0:checkout/carts",
        value=["Carts hang"],
    )
    await walk.bot.drain()
    await walk.submit("oncall")

    assert service(walk, "inc-1-it-is-odd") == "checkout"
    assert playbook(walk, "inc-1-it-is-odd") == STEPS.format("Carts Stuck")


async def test_the_form_without_a_service(walk: Walk) -> None:
    await walk.say("oncall", "/incident declare pay page blank")
    await walk.submit("oncall", severity="sev2")

    assert playbook(walk, "inc-1-pay-page-blank").startswith(
        ":compass: Which service is it? Did you mean Pay API or Pay Web?"
    )


async def test_a_severity_at_the_end_is_preset(walk: Walk) -> None:
    await walk.say("oncall", "/incident declare checkout: it times out, sev1")
    await walk.submit("oncall")

    assert walk.card("inc-1-checkout-it-times-out-sev1")["Severity"] == "SEV-1"


async def test_a_message_names_its_service(walk: Walk) -> None:
    await walk.say("second", "search: no results since 03:00", "incidents")
    ts = walk.slack.messages("incidents", "oncall")[-1]["ts"]
    await walk.slack.shortcut("oncall", action_ids.DECLARE_FROM_MESSAGE, channel="incidents", ts=ts)
    await walk.bot.drain()

    assert walk.form().fields["service"].value == "Search"


async def test_ticks_say_the_service(walk: Walk) -> None:
    """As in a form that was opened when there was one service."""
    await walk.say("oncall", "/incident declare search")
    walk.slack.fail("views.update", error="internal_error", times=None)
    view = walk.slack.views("oncall")[-1]["id"]
    values: dict[str, dict[str, Any]] = {
        "service": {action_ids.FORM_SERVICE: None},
        "symptoms:0:search/empty": {action_ids.TICK_SYMPTOM: ["Results are empty"]},
    }
    await walk.slack.submit("oncall", view, values)
    await walk.bot.drain()
    await walk.slack.settled()

    assert service(walk, "inc-1-search-no-results") == "search"
    assert playbook(walk, "inc-1-search-no-results") == STEPS.format("No Results")
