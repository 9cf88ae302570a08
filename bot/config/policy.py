"""What a change needs before it runs, and what else a team lets through."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from bot.config.clocks import MINUTE, TimeLimit
from bot.config.night import SecondSteps, WhenAlone
from bot.config.people import Right
from bot.model import BlastRadius, Model, Risk


def _refuse_approvals(count: Any) -> Any:
    """Raises ValueError for approvals of what changes nothing in production through the bot."""
    if count:
        raise ValueError(
            "a read changes nothing and runs at once, and a manual step is done outside the bot, "
            "so neither can wait for approval; remove this line"
        )
    return count


Approvals = Annotated[int, Field(strict=True, ge=0, le=20)]
NoApprovals = Annotated[int, Field(strict=True), BeforeValidator(_refuse_approvals)]


class ApprovalCounts(Model):
    """How many other people must approve a change, by its risk; 0 means that it runs at once."""

    change: Approvals = 1
    destructive: Approvals = 1
    read: NoApprovals = 0
    manual: NoApprovals = 0

    def of(self, risk: Risk) -> int:
        """The number for one risk."""
        return int(getattr(self, risk.value))


class Budget(Model):
    """The blast radius above which a change needs one more approval; without a number, none is.

    So many `pods` missing at the same time, this share of the `capacity` in percent, so many
    database `sessions` ended.
    """

    pods: Annotated[int, Field(strict=True, ge=0)] | None = None
    capacity: Annotated[int, Field(strict=True, ge=0, le=100)] | None = None
    sessions: Annotated[int, Field(strict=True, ge=0)] | None = None

    @property
    def is_set(self) -> bool:
        """Whether anything can be over it."""
        return any(limit is not None for limit in (self.pods, self.capacity, self.sessions))

    def is_exceeded_by(self, radius: BlastRadius) -> bool:
        """Whether a change takes away more than this in any way."""
        amounts = (radius.pods, radius.capacity, radius.sessions)
        limits = (self.pods, self.capacity, self.sessions)
        pairs = zip(amounts, limits, strict=True)
        return any(limit is not None and amount > limit for amount, limit in pairs)


class GuestRights(Model):
    """What guests and people of other companies may do: `declare` incidents, `read` titles."""

    declare: bool = False
    read: bool = False


class Masking(Model):
    """What people may read that is hidden otherwise.

    `show_variables` are names of environment variables, where `*` stands for any characters.
    """

    show_variables: tuple[Annotated[str, Field(min_length=1, max_length=100)], ...] = ()


class Policy(Model):
    """How many other people must approve a change, its time limits, and what else is let through.

    `anyone_may` is what people may do who are neither responders nor approvers. `probe_pods` is the
    label selector of pods that ports may be tried from, where no pod of the service can.
    """

    approvals: ApprovalCounts = ApprovalCounts()
    budget: Budget = Budget()
    undo_window: TimeLimit = 15 * MINUTE
    execution_timeout: TimeLimit = 10 * MINUTE
    guests: GuestRights = GuestRights()
    anyone_may: tuple[Right, ...] = ()
    probe_pods: Annotated[str, Field(max_length=253)] = ""
    when_alone: WhenAlone = WhenAlone()
    second_step: SecondSteps = SecondSteps()
