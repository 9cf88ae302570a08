"""Messages to customers: the exact text that a second person approved, posted once."""

from datetime import timedelta
from typing import Annotated, ClassVar, Self
from uuid import uuid4

from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from bot.actions.base import Change, OutcomeLost, Progress
from bot.model import BlastRadius, Plan, Risk, Undo, UserError, Verdict
from bot.model.text import truncate
from bot.systems import Systems

PREVIEW_LENGTH = 120
# The request for approval has to show the whole text, and has room for this many characters.
MAX_LENGTH = 2_500
MESSAGE = "message"  # in the evidence
NOTHING_SENT = "Nothing was sent to Slack."
# Its channel is kept for it so long. Slack answers or drops a request much sooner; its own clients
# give up after 30 s.
LOST_AFTER = timedelta(minutes=2)
COPY_HEADING = "*Approved for customers. Copy it from here:*"


class PostCustomerMessage(Change):
    """Tell customers: in the channel for them, or where there is none, in the incident's own."""

    name: ClassVar = "customer-message"
    risk: ClassVar = Risk.CHANGE
    text: Annotated[str, Field(min_length=1, max_length=MAX_LENGTH)]
    channel: SkipJsonSchema[str] = ""
    key: SkipJsonSchema[str] = ""

    @property
    def target(self) -> str:
        """What a plan names its channel by."""
        return f"slack/{self.channel}"

    async def pin_targets(self, systems: Systems) -> Self:
        """Fix the channel, and make a key that identifies the message later.

        Raises UserError when there is no channel.
        """
        channel = self.channel or systems.customers.channel_id
        if not channel:
            raise UserError(
                "There is no channel for customers, so nothing was requested. Name one under "
                "channels.customers in RUNBOLT_CONFIG, or say /incident customer."
            )
        return self.model_copy(update={"channel": channel, "key": uuid4().hex})

    async def plan(self, systems: Systems) -> Plan:
        """The text as it will be posted, and who reads it."""
        channel_name = await _channel_name(systems, self.channel)
        preview = truncate(" ".join(self.text.split()), PREVIEW_LENGTH)
        if self._is_for_copying(systems):
            summary = f"Release for customers, to be copied from {channel_name}: “{preview}”"
            readers = "Customers read it after somebody copies it to their channel."
        else:
            summary = f"Tell customers in {channel_name}: “{preview}”"
            readers = f"Everybody in {channel_name} reads it."
        withdrawal = WithdrawCustomerMessage(channel=self.channel, key=self.key)
        return Plan(
            target=self.target,
            summary=summary,
            blast_radius=BlastRadius(text=readers),
            check=f"The message is in {channel_name}.",
            diff=self.text,
            undo=Undo(
                summary=f"Delete the message from {channel_name}; people may have read it already",
                action=withdrawal.name,
                params=withdrawal.model_dump(mode="json"),
            ),
            fingerprint={"channel": self.channel, "text": self.text},
        )

    def _is_for_copying(self, systems: Systems) -> bool:
        return self.channel != systems.customers.channel_id

    async def execute(self, systems: Systems, plan: Plan, progress: Progress) -> None:
        """Post the approved text."""
        heading = COPY_HEADING if self._is_for_copying(systems) else ""
        await progress.sending({MESSAGE: self.key}, systems.now())
        ts = await systems.customers.post(self.channel, self.text, self.key, heading)
        await progress.answered({MESSAGE: ts})

    async def settle(self, systems: Systems, plan: Plan, progress: Progress) -> Verdict | None:
        """Look for the message by its key; while it is not there, nobody knows."""
        if MESSAGE in progress.evidence.answers:
            return None
        if progress.evidence.sent == {}:
            return Verdict(ok=False, was_applied=False, text=NOTHING_SENT)
        channel_name = await _channel_name(systems, self.channel)
        if await systems.customers.find(self.channel, self.key) is not None:
            return None
        raise _unknown(systems, progress, f"The message is not in {channel_name}.")

    async def verify(self, systems: Systems, plan: Plan, progress: Progress) -> Verdict:
        """Whether the message is in the channel."""
        channel_name = await _channel_name(systems, self.channel)
        if await systems.customers.find(self.channel, self.key) is None:
            text = f"The message was posted, and is not in {channel_name} any more."
            return Verdict(ok=False, text=text)
        if self._is_for_copying(systems):
            return Verdict(ok=True, text=f"Approved, and ready to be copied from {channel_name}.")
        return Verdict(ok=True, text=f"Customers were told in {channel_name}.")


class WithdrawCustomerMessage(Change):
    """Delete a message to customers; people may have read it already."""

    name: ClassVar = "withdraw-customer-message"
    risk: ClassVar = Risk.CHANGE
    channel: str
    key: str

    async def plan(self, systems: Systems) -> Plan:
        """The message as it is in the channel now. Raises UserError when it is not found."""
        channel_name = await _channel_name(systems, self.channel)
        posted = await systems.customers.find(self.channel, self.key)
        if posted is None:
            raise UserError(
                f"The message is not among the newest of {channel_name}, so there is nothing to "
                "delete."
            )
        return Plan(
            target=f"slack/{self.channel}",
            summary=f"Delete the message to customers from {channel_name}",
            blast_radius=BlastRadius(
                text=f"It disappears from {channel_name}; people may have read it already."
            ),
            check=f"The message is gone from {channel_name}.",
            diff=posted.text,
            fingerprint={"ts": posted.ts, "text": posted.text},
        )

    async def execute(self, systems: Systems, plan: Plan, progress: Progress) -> None:
        """Delete the message that the plan names."""
        ts = plan.fingerprint["ts"]
        await progress.sending({MESSAGE: ts}, systems.now())
        await systems.customers.delete(self.channel, ts)
        await progress.answered({MESSAGE: ts})

    async def settle(self, systems: Systems, plan: Plan, progress: Progress) -> Verdict | None:
        """Whether the deletion was answered, or was sent and the message is gone."""
        evidence = progress.evidence
        if MESSAGE in evidence.answers:
            return None
        if evidence.sent == {}:
            return Verdict(ok=False, was_applied=False, text=NOTHING_SENT)
        channel_name = await _channel_name(systems, self.channel)
        is_there = await systems.customers.find(self.channel, self.key) is not None
        if not is_there:
            return None
        raise _unknown(systems, progress, f"The message is still in {channel_name}.")

    async def verify(self, systems: Systems, plan: Plan, progress: Progress) -> Verdict:
        """Whether the message is gone from the channel."""
        channel_name = await _channel_name(systems, self.channel)
        if await systems.customers.find(self.channel, self.key) is not None:
            return Verdict(ok=False, text=f"The message is still in {channel_name}.")
        return Verdict(ok=True, text=f"The message is gone from {channel_name}.")


def _unknown(systems: Systems, progress: Progress, fact: str) -> UserError:
    """What was sent may still arrive: Slack takes no precondition, and nothing back."""
    sent_at = progress.evidence.sent_at
    if sent_at is not None and systems.now() < sent_at + LOST_AFTER:
        return UserError(f"{fact} What was sent to Slack may still arrive.", unsure=True)
    return OutcomeLost(
        f"{fact} What was sent to Slack is most likely lost, but it might still arrive. Look at "
        "the channel before you request it again."
    )


async def _channel_name(systems: Systems, channel: str) -> str:
    """Like `#status`. Raises CustomerChannelError when the bot cannot post there."""
    return f"#{await systems.customers.channel_name(channel)}"
