"""The systems of each service: the only place that knows addresses and secrets."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from bot.config import Config, DatabaseSource, ServiceConfig
from bot.model import Place, UserError
from bot.settings import Settings
from bot.slack.customer_channel import CustomerChannel
from bot.systems import ChangingSystems
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
        return self._resolved(one) == self._resolved(other)

    def named(self, place: Place) -> Place:
        """The place with its cluster's name, where the configuration names clusters at all."""
        service = self._config.of(place.service)
        return place.model_copy(update={"cluster": place.cluster or service.cluster})

    def _resolved(self, place: Place) -> tuple[str, str, DatabaseSource]:
        """The API server, the namespace and the database."""
        service = self._service(place)
        return (
            self._clusters.server(_listed(place, "cluster", service.all_clusters)),
            _listed(place, "namespace", service.all_namespaces),
            _database(place, service)[1],
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
        cluster = _listed(place, "cluster", service.all_clusters)
        namespace = _listed(place, "namespace", service.all_namespaces)
        name, source = _database(place, service)
        label, shown = self._label(place.service, name), service.masking.show_variables
        return ChangingSystems(
            cluster=self._clusters.cluster(cluster, namespace, shown_variables=shown),
            database=Database(
                self._url(source.read),
                variable=_origin(source.read, f"databases.{name}.read", place),
                name=label,
            ),
            sessions=SessionTerminator(
                self._url(source.admin),
                variable=_origin(source.admin, f"databases.{name}.admin", place),
                name=label,
            ),
            tcp=TcpProber(),
            http=self._http,
            stripe=Stripe(self._secret(service.stripe), self._settings.stripe_api_url),
            customers=self._customers(service),
            now=self._now,
            probe_pods=service.policy.probe_pods,
        )

    def _url(self, source: str) -> str | Path | None:
        """What a variable says, or the file, which is read at each connection."""
        return Path(source) if "/" in source else self._settings.variable(source)

    def _label(self, service: str, database: str) -> str:
        """What people call a database; nothing where the bot knows of one alone."""
        return f"{database} of {service}" if self._config.services else ""

    def _secret(self, source: str) -> str | None:
        """What a variable or a file says; None for none."""
        if "/" not in source:
            return self._settings.variable(source)
        try:
            return Path(source).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(
                f"{source}, which RUNBOLT_CONFIG names, cannot be read: {error}. Nothing was done."
            ) from error


def _listed(place: Place, kind: str, names: tuple[str, ...]) -> str:
    """The name that a place has, or the first one; raises UserError for one that is not listed."""
    name: str = getattr(place, kind) or names[0]
    if name not in names:
        raise UserError(_not_listed(place.service, kind, name))
    return name


def _database(place: Place, service: ServiceConfig) -> tuple[str, DatabaseSource]:
    """The name of the place's database, and where its URLs stand."""
    if not place.database:
        return next(iter(service.databases.items()), ("main", DatabaseSource()))
    if place.database not in service.databases:
        raise UserError(_not_listed(place.service, "database", place.database))
    return place.database, service.databases[place.database]


def _origin(source: str, key: str, place: Place) -> str:
    """Where people look for a URL: the variable or the file, or else the key that names none."""
    return source or f"{key} of {place.service} in RUNBOLT_CONFIG"


def _not_listed(service: str, kind: str, name: str) -> str:
    return (
        f"RUNBOLT_CONFIG lists no {kind} {name} for {service}, so nothing was done. List it there, "
        "and restart the bot."
    )
