"""How a place is named where there are several."""

from bot.config import ServiceConfig
from bot.model import Incident, Place


def with_names(config: ServiceConfig, place: Place) -> Place:
    """The place with the names of its cluster and namespace, where the service has several."""
    cluster = place.cluster or (config.cluster if len(config.all_clusters) > 1 else "")
    own = config.all_namespaces[:1] if len(config.all_namespaces) > 1 else ()
    namespace = place.namespace or "".join(own)
    return place.model_copy(update={"cluster": cluster, "namespace": namespace})


def names(incident: Incident, place: Place) -> tuple[str, ...]:
    """What tells a place of an incident from others: its service, if the incident has several.

    And what it names itself: `payment-service`, `cluster eu-west`, `namespace payments`.
    """
    service = (place.service or incident.service,) if incident.has_several_services else ()
    parts = (
        ("cluster", place.cluster),
        ("namespace", place.namespace),
        ("database", place.database),
    )
    return (*service, *(f"{kind} {name}" for kind, name in parts if name))
