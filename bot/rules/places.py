"""How a place is named in an incident, where there are several."""

from collections.abc import Mapping

from bot.model import Incident, Place


def names(incident: Incident, place: Place, own_clusters: Mapping[str, str]) -> tuple[str, ...]:
    """What tells a place from others: its service, if the incident has several.

    And where it is not the service's own, its cluster, namespace or database. `own_clusters` are by
    service; a place without a service is of the incident's own.
    """
    service = place.service or incident.service
    shown = (service,) if incident.has_several_services else ()
    is_own = place.cluster in ("", own_clusters.get(service, place.cluster))
    others = {
        "cluster": "" if is_own else place.cluster,
        "namespace": place.namespace,
        "database": place.database,
    }
    return (*shown, *(f"{kind} {name}" for kind, name in others.items() if name))
