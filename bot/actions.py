"""The base classes of actions: what one step of a playbook can do, and what it may reach.

The fields of an action are its parameters in the YAML file.
"""

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
    """The clients of everything outside that an action may use, and the clock.

    The subclass says how much these clients let through.
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
    """Clients that only read: a call that would change something raises before it is sent."""


class PlanningSystems(Systems):
    """Clients that read and make dry runs: every other call raises before it is sent."""


class ChangingSystems(Systems):
    """Clients without a limit: only for the execution of an approved plan."""

    def for_reading(self) -> ReadingSystems:
        """The same systems, limited to reads."""
        return ReadingSystems(**self._limited(Access.READ))

    def for_planning(self) -> PlanningSystems:
        """The same systems, limited to reads and dry runs."""
        return PlanningSystems(**self._limited(Access.PLAN))

    def _limited(self, access: Access) -> dict[str, Any]:
        """The fields, with each client that can change something limited.

        The database client, HTTP and Stripe can only read anyway.
        """
        return vars(self) | {
            "cluster": self.cluster.restricted(access),
            "customers": self.customers.read_only(),
            "backends": self.backends.read_only(),
        }


@dataclass(frozen=True)
class Run:
    """The execution under way, and `say`, which shows people how far it is."""

    execution_id: ExecutionId
    say: Callable[[str], Awaitable[None]]


class Already(UserError):
    """There is nothing to do: the wanted state is there already."""


class Action(Noun):
    """What a playbook step does; the fields are the params in the YAML file.

    `name` is its name there. The params in `fixed` come from the file alone: no form asks for them.
    """

    name: ClassVar[str]
    risk: ClassVar[Risk]
    fixed: ClassVar[frozenset[str]] = frozenset()


class Read(Action, ABC):
    """An action that changes nothing, and so runs at once, without approval."""

    risk: ClassVar = Risk.READ

    @abstractmethod
    async def read(self, systems: ReadingSystems) -> Reading:
        """Read the live state. Raises UserError when it cannot be read."""


class Change(Action, ABC):
    """An action that changes production; it runs only as the plan that people approved."""

    async def settle(self, systems: PlanningSystems) -> Self:
        """A copy whose targets are fixed as they are now, for targets that come and go.

        People then approve a change of exactly these, even if others appear before it runs. The
        fields filled in here are marked SkipJsonSchema: a playbook cannot set them. Raises
        UserError when there is no target, or it cannot be read.
        """
        return self

    async def choices(self, systems: PlanningSystems, field: str) -> Choices | None:
        """What a form offers for one parameter, from the live state; None for a plain input.

        Raises UserError when the live state cannot be read.
        """
        return None

    @abstractmethod
    async def plan(self, systems: PlanningSystems) -> Plan:
        """Describe the change from the live state, without making it.

        Raises UserError when it is not possible, and Already when the wanted state is there: a
        temporary change counts as lasting as long as its plan raises Already.
        """

    @abstractmethod
    async def execute(self, systems: ChangingSystems, plan: Plan, progress: Run) -> str | None:
        """Make the change once, if the state that the plan was made from still holds.

        The outcome begins with the text that is returned, if any. Raises UserError, with `unsure`
        set when it is not known whether something was changed.
        """

    @abstractmethod
    async def verify(self, systems: ReadingSystems, plan: Plan, progress: Run) -> Verdict:
        """Wait until the change has worked or a deadline has passed, and say which.

        Raises UserError when the live state cannot be read.
        """


class ChooseFrom(Noun):
    """The query step whose latest rows people choose from when they are done.

    `title` is the text of each row, with its columns in braces.
    """

    step: str
    title: Annotated[Words, Field(min_length=1)]


class Manual(Action):
    """A step that a person does by hand, and then marks as done or as skipped with a reason."""

    name: ClassVar = "manual"
    risk: ClassVar = Risk.MANUAL
    instructions: str = ""
    link: str = ""
    choose_from: ChooseFrom | None = None
