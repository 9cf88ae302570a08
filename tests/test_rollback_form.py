"""The form of a rollback: the revisions there are, live, and never the one just given up."""

from typing import Any

import pytest

from bot.views import action_ids
from sandbox.cluster import Cluster
from sandbox.slack import Refusal
from tests.conftest import ORDERS, Bot, Walk

Obj = dict[str, Any]
REVISIONS = "list */replicasets"


@pytest.fixture
async def broken(kube: Cluster) -> Cluster:
    """The cluster after a release that crash-loops."""
    await kube.scenario("crash-loop")
    return kube


async def open_form(walk: Walk, channel: str) -> Obj:
    """Press *Roll back*, and find the field of the revision."""
    await walk.press_step("oncall", "roll-back", channel)
    view = walk.slack.views("oncall")[-1]
    [field] = [block for block in view["blocks"] if block["block_id"] == "to_revision"]
    return dict(field)


def offered(field: Obj) -> list[str]:
    return [option["text"]["text"] for option in field["element"]["options"]]


def chosen(field: Obj) -> str | None:
    found = field["element"].get("initial_option")
    return found and str(found["value"])


async def roll_back(walk: Walk, channel: str, **values: str) -> None:
    await walk.submit("oncall", reason="It fails", **values)
    await walk.press("second", action_ids.APPROVE, channel)


async def test_previous_revision_is_the_default(walk: Walk, broken: Cluster) -> None:
    field = await open_form(walk, await walk.declare())

    assert [offer.split(" · ")[:2] for offer in offered(field)] == [
        ["6", "v2.3.1"],
        ["5", "v2.3.0"],
        ["4", "v2.2.0"],
        ["3", "v2.1.4"],
    ]
    assert chosen(field) == "6"
    assert field["hint"]["text"] == "Revision 7 (v2.4.0) runs now."


async def test_rollback_uses_chosen_revision(walk: Walk, broken: Cluster) -> None:
    channel = await walk.declare()
    await open_form(walk, channel)
    await roll_back(walk, channel, to_revision="4")

    assert "Done and checked" in walk.text(channel)
    assert broken.image().endswith(":v2.2.0")


async def test_abandoned_release_is_not_default(walk: Walk, broken: Cluster) -> None:
    """`kubectl rollout undo` would go right back to it."""
    channel = await walk.declare()
    await open_form(walk, channel)
    await roll_back(walk, channel)
    assert broken.image().endswith(":v2.3.1")

    field = await open_form(walk, channel)

    assert offered(field)[0].startswith("7 · v2.4.0 · ")
    assert ":warning: was rolled back from" in offered(field)[0]
    assert ":warning:" not in "".join(offered(field)[1:])
    assert chosen(field) == "5"


async def test_plan_warns_of_abandoned_release(walk: Walk, broken: Cluster) -> None:
    channel = await walk.declare()
    await open_form(walk, channel)
    await roll_back(walk, channel)
    await open_form(walk, channel)
    await walk.submit("oncall", reason="Once more", to_revision="7")

    assert ":warning: Revision 7 (v2.4.0) was rolled back from." in walk.text(channel)


async def test_undone_rollback_marks_its_revision(walk: Walk, kube: Cluster) -> None:
    kube.deploy("v2.5.0")
    await kube.wait_for_rollout()
    channel = await walk.declare()
    await open_form(walk, channel)
    await roll_back(walk, channel)
    await walk.press("second", action_ids.UNDO, channel)
    assert kube.image().endswith(":v2.5.0")
    assert "was rolled back from" not in walk.text(channel), "people know what they undo"

    field = await open_form(walk, channel)

    assert offered(field)[0].startswith("8 · v2.3.1 · ")
    assert ":warning: was rolled back from" in offered(field)[0]
    assert ":warning:" not in "".join(offered(field)[1:])
    assert chosen(field) == "5"


async def test_wrongly_undone_rollback_stays_default(walk: Walk, broken: Cluster) -> None:
    channel = await walk.declare()
    await open_form(walk, channel)
    await roll_back(walk, channel)
    await walk.press("second", action_ids.UNDO, channel)
    assert broken.image().endswith(":v2.4.0")

    field = await open_form(walk, channel)

    assert ":warning:" not in "".join(offered(field))
    assert chosen(field) == "8"


async def test_restarted_release_is_not_default(walk: Walk, broken: Cluster) -> None:
    channel = await walk.declare()
    await walk.press_step("oncall", "rolling-restart", channel)
    await roll_back(walk, channel)

    field = await open_form(walk, channel)

    assert offered(field)[0].startswith("7 · v2.4.0")
    assert chosen(field) == "6"


@pytest.mark.parametrize("trouble", ["slow", "forbidden", "unreachable"])
async def test_unreadable_revisions_allow_typed_number(
    trouble: str, walk: Walk, broken: Cluster
) -> None:
    channel = await walk.declare()
    if trouble == "slow":
        broken.hang(REVISIONS)
    elif trouble == "forbidden":
        broken.forbid("runbolt", "list", "replicasets")
    else:
        await broken.stop_listening()

    field = await open_form(walk, channel)

    assert field["element"]["type"] == "number_input"
    assert "not rolled back from" in field["hint"]["text"]


@pytest.mark.parametrize("trouble", ["mute", "broken", "forbidden"])
async def test_unknown_failures_still_allow_rollback(
    trouble: str, walk: Walk, bot: Bot, broken: Cluster
) -> None:
    if trouble == "mute":
        bot.world.services.systems(ORDERS).cluster.timeout = 0.3
        broken.hang("list */events")
    elif trouble == "broken":
        broken.fail("list */events", 500)
    else:
        broken.forbid("runbolt", "list", "events")
    channel = await walk.declare()
    field = await open_form(walk, channel)
    assert "Which revisions failed before is not known." in field["hint"]["text"]
    if trouble == "mute":  # a plan has time, where a form has to open soon
        bot.world.services.systems(ORDERS).cluster.timeout = 1.0
    await walk.submit("oncall", reason="Back", to_revision="6")
    assert ":warning: Which revisions failed before is not known." in walk.text(channel)

    broken.heal()  # what is known by then is no reason to stop
    await walk.press("second", action_ids.APPROVE, channel)

    assert "Done and checked" in walk.text(channel)


async def test_impossible_revision_is_refused(walk: Walk, broken: Cluster) -> None:
    channel = await walk.declare()
    broken.hang(REVISIONS)
    await open_form(walk, channel)

    with pytest.raises(Refusal) as refused:
        await walk.submit("oncall", reason="Back", to_revision="0")

    assert list(refused.value.errors) == ["to_revision"]


async def test_empty_number_avoids_abandoned_release(walk: Walk, broken: Cluster) -> None:
    channel = await walk.declare()
    await open_form(walk, channel)
    await roll_back(walk, channel)
    fault = broken.hang(REVISIONS)
    await open_form(walk, channel)
    broken.heal(fault)
    await roll_back(walk, channel)

    assert broken.image().endswith(":v2.3.0")


async def test_asking_again_offers_new_revisions(walk: Walk, broken: Cluster) -> None:
    channel = await walk.declare()
    await open_form(walk, channel)
    await walk.submit("oncall", reason="It fails", to_revision="5")
    broken.change_template()
    await walk.press("second", action_ids.APPROVE, channel)
    await walk.press("oncall", action_ids.ASK_AGAIN, channel)

    view = walk.slack.views("oncall")[-1]
    [field] = [block for block in view["blocks"] if block["block_id"] == "to_revision"]
    assert chosen(field) == "5"
