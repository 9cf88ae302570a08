"""After a failed check: the promised undo, what it leads back to, and what mended it later."""

import re
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from bot.views import action_ids
from sandbox.cluster import Cluster
from tests.conftest import Walk
from tests.manual_changes import patch_pods
from tests.rollbacks import DONE, WAITS, asked, broken, done, patches

__all__ = ["asked", "broken", "done"]

FAILED = "Done, but the check failed"
ALARM = (
    ":red_circle: This leads back to revision 7 (v2.4.0), which had pods that did not keep running."
)


def confirmation(walk: Walk, channel: str, label: str) -> str:
    """What the dialog of a button asks."""
    elements: list[dict[str, Any]] = [
        element
        for message in walk.slack.messages(channel, "second")
        for block in message.get("blocks", [])
        if block["type"] == "actions"
        for element in block["elements"]
    ]
    [found] = [each for each in elements if each.get("text", {}).get("text") == label]
    return str(found["confirm"]["text"]["text"])


async def test_an_undo_that_failed(walk: Walk, broken: Cluster, done: str) -> None:
    """It leads back to a release that crash-loops: it says so, and can be undone itself."""
    assert (
        confirmation(walk, done, "Undo")
        .splitlines()[1]
        .startswith(
            ":red_circle: This leads back to what failed before “Roll back”: 0 of 3 ready: "
        )
    )
    await walk.press("second", action_ids.UNDO, done)

    undo = walk.execution(done, "Undo: Roll back")
    assert (undo.state, undo.loss.splitlines()[0], undo.buttons) == (FAILED, ALARM, ("Undo",))
    assert undo.plan["Undo"].endswith("(image v2.3.1), if the check of this undo fails")
    assert undo.notes[0] == (
        "Look at the pods and the logs. Then request a change that helps, or undo this one."
    )

    await walk.press("oncall", action_ids.UNDO, done)
    again = walk.execution(done)
    assert (again.title, again.state, again.warnings) == ("Undo: Undo: Roll back", WAITS, ())
    await walk.press("second", action_ids.APPROVE, done)

    assert [request.state for request in walk.executions(done)] == [DONE, FAILED, DONE]
    assert walk.execution(done, "Undo: Roll back").buttons == ()
    assert walk.execution(done, "Roll back").notes == (
        ":leftwards_arrow_with_hook: Undone by @second, and that undo was undone too: this is in "
        "force again",
    )
    assert walk.card(done)["Proposed"].startswith(":bulb: If users are well again, the next status")


async def test_a_late_undo_reads_why(walk: Walk, broken: Cluster, done: str) -> None:
    """The button of before is pressed: what the cluster says of that plan would mislead."""
    undo = walk.slack.find_buttons(action_ids.UNDO, done, "lead")[0]
    await walk.press("second", action_ids.UNDO, done)
    await walk.slack.press("lead", undo)
    await walk.bot.drain()
    assert walk.answer("lead") == (
        "This was already undone, or its undo is pending. Nothing was done."
    )

    await walk.say("oncall", "/incident resolve", done)
    await walk.submit("oncall", resolution="Out of service", despite="It is switched off")
    await walk.slack.press("lead", undo)
    await walk.bot.drain()
    assert walk.answer("lead").startswith("INC-1 is resolved. Nothing was done.")


OVERTAKEN = {
    False: "the undo, done, but the check failed; mended since",
    True: "the undo, done, and then undone or changed outside Runbolt; mended since",
}


@pytest.mark.parametrize("overtaken", OVERTAKEN)
async def test_a_later_change_mends_it(
    walk: Walk, broken: Cluster, done: str, overtaken: bool
) -> None:
    await walk.press("second", action_ids.UNDO, done)
    async with walk.bot.world.pool.connection() as conn:
        outside = Jsonb({"undone_outside": overtaken})
        query = "UPDATE executions SET evidence = evidence || %s WHERE state = 'failed'"
        await conn.execute(query, [outside])
    await walk.press("oncall", action_ids.RESOLVE, done)
    assert "despite" in walk.form().fields
    await walk.slack.close("oncall", walk.slack.views("oncall")[-1]["id"])

    await walk.ask_for_rollback(done)
    await walk.press("second", action_ids.APPROVE, done)

    undo = walk.execution(done, "Undo: Roll back")
    assert undo.notes[1:] == (
        ":white_check_mark: Mended since: “Roll back” was done and checked 2026-11-24 10:00 UTC.",
    )
    await walk.press("oncall", action_ids.RESOLVE, done)
    assert tuple(walk.form().fields) == ("resolution",)
    await walk.submit("oncall", resolution="Rolled back")
    assert OVERTAKEN[overtaken] in walk.text(done)


async def test_another_incident_mends_it(walk: Walk, broken: Cluster, done: str) -> None:
    await walk.press("second", action_ids.UNDO, done)
    other = await walk.declare("Checkout is down")
    await walk.ask_for_rollback(other)
    await walk.press("second", action_ids.APPROVE, other)
    assert walk.execution(other).state == DONE

    await walk.press("oncall", action_ids.RESOLVE, done)
    await walk.submit("oncall", resolution="Rolled back in INC-2")

    assert walk.card(done)["Status"] == "Resolved"


async def test_back_to_a_failed_check(walk: Walk, broken: Cluster, done: str) -> None:
    """Its pods were ready again when they were replaced; what was checked before is known."""
    async with walk.bot.world.pool.connection() as conn:
        await conn.execute("UPDATE executions SET check_passed = false, state = 'failed'")
    await walk.press_step("oncall", "roll-back", done)
    await walk.submit("oncall", to_revision="5", reason="Still slow")
    await walk.press("second", action_ids.APPROVE, done)
    assert walk.execution(done).state == DONE

    await walk.press("second", action_ids.UNDO, done)

    assert walk.execution(done).loss.splitlines()[0] == (
        ":red_circle: This leads back to what “Roll back” of INC-1 left, and its check failed."
    )


async def test_what_stands_can_be_undone(walk: Walk, broken: Cluster, asked: str) -> None:
    """Somebody changed something else during the check: the rollback itself is still there."""
    await walk.slack.press("second", action_id=action_ids.APPROVE, channel=asked)
    await broken.wait_until(lambda: patches(broken) == 1)
    broken.change_template()
    await walk.bot.drain()

    request = walk.execution(asked)
    assert re.match(
        r":warning: Done, then changed by kubectl-edit .*: order-service runs image v2.3.1\.",
        request.state,
    )
    assert request.buttons == ("Undo",)
    assert not [note for note in request.notes if "a new approval" in note]

    await walk.press("second", action_ids.UNDO, asked)
    undo = walk.execution(asked)
    assert (undo.state, undo.plan["Approval"]) == (
        WAITS,
        "as the policy asks before a change of this kind. The target has changed "
        "since, so the approval of the change does not cover this.",
    )


async def test_an_undo_that_did_not_last(walk: Walk, broken: Cluster, done: str) -> None:
    """A controller put the rolled back release into force again: nobody reads that it is undone."""
    await walk.slack.press("second", action_id=action_ids.UNDO, channel=done)
    await broken.wait_until(lambda: patches(broken) == 2)
    image = "ghcr.io/tickettoken/order-service:v2.3.1"
    await patch_pods(broken, {"containers": [{"name": "order-service", "image": image}]})
    await walk.bot.drain()

    assert walk.execution(done, "Roll back").notes == (
        ":leftwards_arrow_with_hook: Undone by @second, but that did not last: the undo says why",
    )
    assert walk.execution(done, "Undo: Roll back").notes == (
        "Find out who works on it, and stop that first. This undo cannot be requested again: if it "
        "is still needed, request a step of the playbook that does the same.",
    )
