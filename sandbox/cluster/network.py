"""What a pod can reach, and which programs its image has."""

import hashlib
from typing import Literal

Answer = Literal["open", "refused", "timeout", "unknown"]

# By namespace, Service and port.
DEPENDENCIES = {
    ("tickettoken", "tickettoken-postgres", 5432),
    ("tickettoken", "tickettoken-redis", 6379),
    ("tickettoken", "tickettoken-rabbitmq", 5672),
    ("tickettoken", "payment-service", 3006),
    ("tickettoken", "order-service", 3005),
    ("payments", "payment-service", 3006),
    ("payments", "payments-postgres", 5432),
}
DOMAINS = ("", "svc", "svc.cluster.local")
PROGRAMS = {"nc", "sh", "env", "cat", "echo", "hostname", "psql", "true", "false", "sleep"}


class Network:
    """Hosts and ports inside the cluster, as pods of a namespace see them."""

    def __init__(self) -> None:
        self._answers: dict[tuple[str, str, int], Answer] = dict.fromkeys(DEPENDENCIES, "open")
        self.programs = set(PROGRAMS)
        self.nc_scans = True
        self.connections = 37

    def set(self, namespace: str, host: str, port: int, answer: Answer) -> None:
        """Set how a port answers from now on, named as a pod of the namespace does."""
        self._answers[*location(namespace, host), port] = answer

    def answer(self, namespace: str, host: str, port: int) -> Answer:
        """How a port answers; a known host refuses its other ports."""
        place = location(namespace, host)
        if (*place, port) in self._answers:
            return self._answers[*place, port]
        is_known = any(known[:2] == place for known in self._answers)
        return "refused" if is_known else "unknown"


def location(namespace: str, host: str) -> tuple[str, str]:
    """The namespace and the name of a Service, from any of its names in the cluster's DNS.

    They are read by a pod of `namespace`. A host that is none has no namespace.
    """
    name, _, rest = host.removesuffix(".").partition(".")
    other, _, domain = rest.partition(".")
    if domain not in DOMAINS:
        return "", host
    return other or namespace, name


def service_ip(namespace: str, name: str) -> str:
    """The cluster address of a Service."""
    digest = hashlib.sha256(f"{namespace}/{name}".encode()).digest()
    return f"10.96.{digest[0]}.{digest[1] % 250 + 2}"
