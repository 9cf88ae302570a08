"""What customers are told: exactly the words that somebody else approved, posted once."""

from typing import Annotated, ClassVar, Self
from uuid import uuid4

from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from bot.actions import Change, Run, Systems
from bot.model import Plan, Risk, Undo, UserError, Verdict

SHOWN = 120
# A request shows this much of what is approved, and it has to show all of it.
LONGEST = 2_500
RELEASED = "*Approved for customers. Copy it from here:*"


class PostCustomerMessage(Change):
    """Tell customers: in the channel for them, or where there is none, in the incident's own."""

    name: ClassVar = "customer-message"
    risk: ClassVar = Risk.CHANGE
    text: Annotated[str, Field(min_length=1, max_length=LONGEST)]
    channel: SkipJsonSchema[str] = ""
    key: SkipJsonSchema[str] = ""

    async def settle(self, systems: Systems) -> Self:
        """The channel as it is configured now, and a key by which the message is found again."""
        channel = self.channel or systems.customers.channel
        if not channel:
            raise UserError(
                "There is no channel for customers, so nothing was asked for. Name one under "
                "channels.customers in RUNBOLT_CONFIG, or say /incident customer."
            )
        return self.model_copy(update={"channel": channel, "key": uuid4().hex})

    async def plan(self, systems: Systems) -> Plan:
        """The words as they will stand there, and who reads them."""
        place = f"#{await systems.customers.name(self.channel)}"
        words = " ".join(self.text.split())
        short = words if len(words) <= SHOWN else f"{words[: SHOWN - 1]}…"
        if self._released(systems):
            summary = f"Release for customers, to be copied from {place}: “{short}”"
            read_by = "Customers read it once somebody has copied it to where they are told."
        else:
            summary = f"Tell customers in {place}: “{short}”"
            read_by = f"Everybody in {place} reads it."
        gone = WithdrawCustomerMessage(channel=self.channel, key=self.key)
        return Plan(
            target=f"slack/{self.channel}",
            summary=summary,
            blast_radius=read_by,
            check=f"The message stands in {place}.",
            diff=self.text,
            undo=Undo(
                summary=f"Delete the message from {place}; who has read it has read it",
                action=gone.name,
                params=gone.model_dump(mode="json"),
            ),
            fingerprint={"channel": self.channel, "text": self.text},
        )

    def _released(self, systems: Systems) -> bool:
        return self.channel != systems.customers.channel

    async def execute(self, systems: Systems, plan: Plan, run: Run) -> None:
        """Post exactly what was approved."""
        heading = RELEASED if self._released(systems) else ""
        await systems.customers.post(self.channel, self.text, self.key, heading)

    async def verify(self, systems: Systems, plan: Plan, run: Run) -> Verdict:
        """Whether it stands there."""
        place = f"#{await systems.customers.name(self.channel)}"
        if await systems.customers.find(self.channel, self.key) is None:
            return Verdict(ok=False, done=False, text=f"The message is not in {place}.")
        if self._released(systems):
            return Verdict(ok=True, text=f"Approved, and in {place} to be copied from there.")
        return Verdict(ok=True, text=f"Customers were told in {place}.")


class WithdrawCustomerMessage(Change):
    """Delete what customers were told; what was read stays read."""

    name: ClassVar = "withdraw-customer-message"
    risk: ClassVar = Risk.CHANGE
    channel: str
    key: str

    async def plan(self, systems: Systems) -> Plan:
        """The message as it stands there now."""
        place = f"#{await systems.customers.name(self.channel)}"
        posted = await systems.customers.find(self.channel, self.key)
        if posted is None:
            raise UserError(
                f"The message is not among the newest of {place}, so there is nothing to delete."
            )
        return Plan(
            target=f"slack/{self.channel}",
            summary=f"Delete what customers were told in {place}",
            blast_radius=f"Nobody in {place} reads it any more; who has read it has read it.",
            check=f"The message is gone from {place}.",
            diff=posted.text,
            fingerprint={"ts": posted.ts, "text": posted.text},
        )

    async def execute(self, systems: Systems, plan: Plan, run: Run) -> None:
        """Delete that one message."""
        await systems.customers.delete(self.channel, plan.fingerprint["ts"])

    async def verify(self, systems: Systems, plan: Plan, run: Run) -> Verdict:
        """Whether it is gone."""
        place = f"#{await systems.customers.name(self.channel)}"
        if await systems.customers.find(self.channel, self.key) is not None:
            return Verdict(ok=False, done=False, text=f"The message still stands in {place}.")
        return Verdict(ok=True, text=f"The message is gone from {place}.")
