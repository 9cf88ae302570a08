"""The help and the App Home: the commands and the open incidents."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from bot.model import Incident, OpenIncidents, Playbook, ServiceName
from bot.rules.incidents import all_scenarios
from bot.views import action_ids, blocks, severity_table, text
from bot.views.blocks import Block
from bot.views.card import heading

NO_SERVICE = "No service yet"
MAX_DESCRIBED = 20  # services that are listed with their playbooks
MAX_SERVICE_PARTS = 4  # paragraphs of services; a message has 50 blocks


class Served(NamedTuple):
    """The services, and their playbooks."""

    services: Sequence[ServiceName]
    playbooks: Sequence[Playbook]

    @property
    def several(self) -> bool:
        """Whether it must be said of which service something is."""
        return len(self.services) > 1


def help_page(served: Served, listed: OpenIncidents | None) -> list[Block]:
    """The commands, the severity levels, the open incidents by service, and the services.

    Without `listed` neither incidents nor services: they may not be read.
    """
    return [
        blocks.section(text.render("help", several=served.several)),
        severity_table.summary(served.playbooks),
        blocks.divider(),
        *_open_incidents(listed, served),
        *_services(listed, served),
    ]


def service_page(
    service: ServiceName, playbooks: Sequence[Playbook], listed: OpenIncidents | None
) -> list[Block]:
    """One service: its playbooks with their symptoms, its severity levels, its open incidents."""
    refs = all_scenarios(playbooks)
    parts = blocks.sections(text.render("service", service=service, refs=refs))
    if playbooks:
        parts.append(severity_table.table(playbooks))
    return [*parts, blocks.divider(), *_open_incidents(listed, Served((service,), playbooks))]


def home_view(served: Served, listed: OpenIncidents | None, now: datetime) -> dict[str, Any]:
    """The App Home; it stays as it is until it is opened again, so it says of when it is."""
    declare = blocks.button("Declare an incident", action_ids.OPEN_DECLARE, style="primary")
    parts = [
        blocks.header("Runbolt"),
        blocks.section(text.render("home"), declare, block_id="declare"),
        blocks.divider(),
        *_open_incidents(listed, served),
        blocks.context(text.render("home_as_of", now=now)),
        *_services(listed, served),
        blocks.divider(),
        blocks.section(text.render("help", several=served.several)),
    ]
    return {"type": "home", "blocks": parts}


def _open_incidents(listed: OpenIncidents | None, served: Served) -> list[Block]:
    if listed is None:
        return [blocks.section(text.render("no_titles"))]
    lines = [_line(incident, listed) for incident in listed.incidents]
    mrkdwn = text.render(
        "open_incidents", total=listed.total, shown=len(lines), unreadable=listed.unreadable
    )
    if not served.several:
        return [blocks.section(mrkdwn), *(blocks.section(line) for line in lines)]
    groups: dict[str, list[str]] = {}
    for incident, line in zip(listed.incidents, lines, strict=True):
        groups.setdefault(incident.playbook.title or NO_SERVICE, []).append(line)
    # The service of the worst incident comes first, as the incidents do.
    texts = [
        text.render("open_of_service", title=title, lines=lines) for title, lines in groups.items()
    ]
    return [blocks.section(mrkdwn), *(part for each in texts for part in blocks.sections(each))]


def _line(incident: Incident, listed: OpenIncidents) -> text.Mrkdwn:
    return text.render(
        "open_incident",
        incident=incident,
        heading=heading(incident),
        error=listed.publish_errors.get(incident.id),
    )


def _services(listed: OpenIncidents | None, served: Served) -> list[Block]:
    """Each service with its playbooks; where they are many, only their names."""
    if listed is None or not served.several:
        return []
    titles = {
        service.id: [
            scenario.title
            for playbook in served.playbooks
            if playbook.service == service.id
            for scenario in playbook.scenarios
        ]
        for service in served.services
    }
    short = len(served.services) > MAX_DESCRIBED
    mrkdwn = text.render("services", services=served.services, scenarios=titles, short=short)
    parts = blocks.split_mrkdwn(mrkdwn)
    shown = [blocks.section(part) for part in parts[:MAX_SERVICE_PARTS]]
    if len(parts) > len(shown):
        shown.append(blocks.context(text.render("services_more")))
    return [blocks.divider(), *shown]
