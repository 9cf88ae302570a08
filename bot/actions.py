"""What an action is: its parameters are its fields; it reads, or plans, executes and verifies."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field

from bot.backends import Backends
from bot.choices import Choices
from bot.cluster import Access, Cluster
from bot.customers import Customers
from bot.database import Database
from bot.findings import Words
from bot.http import Http
from bot.model import ExecutionId, Noun, Plan, Reading, Risk, UserError, Verdict
from bot.network import Network
from bot.stripe import Stripe


@dataclass(frozen=True)
class Systems:
    """The doors that an action may use, one per outside thing, and the clock.

    How much they let through is said by its three kinds.
    """

    cluster: Cluster
    database: Database
    network: Network
    customers: Customers
    now: Callable[[], datetime]
    http: Http = field(default_factory=Http)
    backends: Backends = field(default_factory=lambda: Backends(None))
    stripe: Stripe = field(default_factory=Stripe)


class ReadingSystems(Systems):
    """They only look: what would change something raises before it leaves the process."""


class PlanningSystems(Systems):
    """They look and try changes out in dry runs; all else raises before it leaves the process."""


class ChangingSystems(Systems):
    """They let everything through: for the execution of an approved plan alone."""

    def for_reading(self) -> ReadingSystems:
        """The same systems, to look at."""
        return ReadingSystems(**self._limited(Access.READ))

    def for_planning(self) -> PlanningSystems:
        """The same systems, to plan a change of them."""
        return PlanningSystems(**self._limited(Access.PLAN))

    def _limited(self, access: Access) -> dict[str, Any]:
        """The database is read only as it is; HTTP and Stripe are only ever asked."""
        return vars(self) | {
            "cluster": self.cluster.restricted(access),
            "customers": self.customers.read_only(),
            "backends": self.backends.read_only(),
        }


@dataclass(frozen=True)
class Run:
    """One run under way: which execution it is, and how it tells people how far it is."""

    execution_id: ExecutionId
    say: Callable[[str], Awaitable[None]]


class Already(UserError):
    """There is nothing to do: what is asked for is so already."""


class Action(Noun):
    """What a playbook step does; the fields are the params in the YAML file.

    Those that are `fixed` come from the file alone: people are never asked for them.
    """

    name: ClassVar[str]
    risk: ClassVar[Risk]
    fixed: ClassVar[frozenset[str]] = frozenset()


class Read(Action, ABC):
    """Looks, and changes nothing; runs at once."""

    risk: ClassVar = Risk.READ

    @abstractmethod
    async def read(self, systems: ReadingSystems) -> Reading:
        """Look, and say what was seen; raises UserError when it could not look."""


class Change(Action, ABC):
    """Changes production; runs only as the plan that people approved."""

    async def settle(self, systems: PlanningSystems) -> Self:
        """Itself, with what it would find anew each time fixed as it is now. Raises UserError.

        What is approved is then about these, whatever comes and goes until it runs. Fields that
        are filled in here are marked SkipJsonSchema: they are no params of a playbook.
        """
        return self

    async def choices(self, systems: PlanningSystems, field: str) -> Choices | None:
        """What a parameter may be set to now, or a hint, read live; None: it is just typed.

        Raises UserError when it could not look.
        """
        return None

    @abstractmethod
    async def plan(self, systems: PlanningSystems) -> Plan:
        """Say what would be done, from the live state; changes nothing. Raises UserError.

        One whose plan is temporary raises Already as long as what it did is there.
        """

    @abstractmethod
    async def execute(self, systems: ChangingSystems, plan: Plan, run: Run) -> str | None:
        """Do it, once, guarded by the state that the plan was made from. Raises UserError.

        May tell what became of each part; the outcome begins with it.
        """

    @abstractmethod
    async def verify(self, systems: ReadingSystems, plan: Plan, run: Run) -> Verdict:
        """Look whether it worked, until it did or a deadline passed. Raises UserError."""


class ChooseFrom(Noun):
    """Which query step's latest rows people choose from when they are done, and what each says."""

    step: str
    title: Annotated[Words, Field(min_length=1)]


class Manual(Action):
    """Something a person does by hand: one presses *Done*, or says why it was skipped."""

    name: ClassVar = "manual"
    risk: ClassVar = Risk.MANUAL
    instructions: str = ""
    link: str = ""
    choose_from: ChooseFrom | None = None
