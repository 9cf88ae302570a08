"""The systems of each service: the only place that knows addresses and secrets."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from bot.config import Config, DatabaseSource, ServiceConfig
from bot.model import Place, UserError
from bot.settings import Settings
from bot.slack.customer_channel import CustomerChannel
from bot.systems import ChangingSystems, database, sessions
from bot.systems.database import Database
from bot.systems.http import HttpClient
from bot.systems.kubernetes import Clusters
from bot.systems.sessions import SessionTerminator
from bot.systems.stripe import Stripe
from bot.systems.tcp import TcpProber


class Services:
    """Makes the systems of a place when they are needed first; nothing is connected by that."""

    def __init__(
        self,
        config: Config,
        settings: Settings,
        clusters: Clusters,
        customers: Callable[[ServiceConfig], CustomerChannel],
        now: Callable[[], datetime],
    ) -> None:
        self._config = config
        self._settings = settings
        self._clusters = clusters
        self._customers = customers
        self._now = now
        self._http = HttpClient(settings.playbook_proxy)
        self._made: dict[Place, ChangingSystems] = {}

    def systems(self, place: Place) -> ChangingSystems:
        """The systems of a place; raises UserError for one that the configuration does not list."""
        made = self._made.get(place)
        if made is None:
            made = self._made[place] = self._make(place)
        return made

    def are_same(self, one: Place, other: Place) -> bool:
        """Whether two places are one: the same cluster, namespace and database."""
        *here, (_, source) = self._resolved(one)
        *there, (_, other_source) = self._resolved(other)
        return (here, source) == (there, other_source)

    def _resolved(self, place: Place) -> tuple[str, str, tuple[str, DatabaseSource]]:
        service = self._service(place)
        return (
            _listed(place, "cluster", service.all_clusters) or self._clusters.current(),
            _listed(place, "namespace", service.all_namespaces),
            self._database(place, service),
        )

    def _service(self, place: Place) -> ServiceConfig:
        if not self._config.lists(place.service):
            raise UserError(
                f"RUNBOLT_CONFIG does not list {place.service} any more, so nothing was done. List "
                "it under services, and restart the bot."
            )
        return self._config.of(place.service)

    def _make(self, place: Place) -> ChangingSystems:
        service = self._service(place)
        cluster, namespace, (name, source) = self._resolved(place)
        shown = service.masking.show_variables
        return ChangingSystems(
            cluster=self._clusters.cluster(cluster, namespace, shown_variables=shown),
            database=Database(
                self._address(source.read),
                variable=source.read or database.VARIABLE,
                name=name,
            ),
            sessions=SessionTerminator(
                self._address(source.admin),
                variable=source.admin or sessions.VARIABLE,
                name=name,
            ),
            tcp=TcpProber(),
            http=self._http,
            stripe=Stripe(self._settings.variable(service.stripe), self._settings.stripe_api_url),
            customers=self._customers(service),
            now=self._now,
            probe_pods=service.policy.probe_pods,
        )

    def _address(self, source: str) -> str | Path | None:
        """The file that has an address, or what the variable says; None for none."""
        return Path(source) if "/" in source else self._settings.variable(source)

    def _database(self, place: Place, service: ServiceConfig) -> tuple[str, DatabaseSource]:
        """What people call the database (nothing where there is only one), and where it is."""
        name = place.database or next(iter(service.databases), "")
        if place.database and name not in service.databases:
            raise UserError(_not_listed(place.service, "database", name))
        is_one = not self._config.services and len(service.databases) < 2
        called = "" if is_one or not name else f"{name} of {place.service}"
        return called, service.databases.get(name, DatabaseSource())


def _listed(place: Place, kind: str, names: tuple[str, ...]) -> str:
    """The name that a place has, or the first one; raises UserError for one that is not listed."""
    name: str = getattr(place, kind) or names[0]
    if name not in names:
        raise UserError(_not_listed(place.service, kind, name))
    return name


def _not_listed(service: str, kind: str, name: str) -> str:
    return (
        f"RUNBOLT_CONFIG lists no {kind} {name} for {service}, so nothing was done. List it there, "
        "and restart the bot."
    )
