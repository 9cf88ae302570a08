"""Where a step acts: which service's, and which of its clusters, namespaces and databases."""

from bot.model.base import Model


class Place(Model):
    """Names from the configuration, never an address; empty for the service's own first one."""

    service: str
    cluster: str = ""
    namespace: str = ""
    database: str = ""
