"""Choosing the service and the playbook: menus, and searches where they are more than a menu."""

from collections.abc import Sequence

from bot.model import AttachedPlaybook, Incident, ScenarioRef, ServiceName
from bot.model.entries import Declared, ScenarioChosen, ServiceChosen
from bot.views import action_ids, blocks, slack_items, text
from bot.views.blocks import Block, Element
from bot.views.slack_items import Message
from bot.views.snapshot import IncidentSnapshot

CHOOSE_SERVICE = "Choose a service"
CHOOSE_PLAYBOOK = "Choose a playbook"


def service_options(services: Sequence[ServiceName]) -> list[Element]:
    """An option for each service; its id stands beside a title of other words."""
    return [blocks.option(_service_label(service), service.id) for service in services]


def _service_label(service: ServiceName) -> str:
    same = service.title.casefold().replace(" ", "-") == service.id
    return service.title if same else f"{service.title} ({service.id})"


def scenario_options(refs: Sequence[ScenarioRef], *, several: bool) -> list[Element]:
    """An option for each scenario; where there are `several` services, with the service."""
    options = []
    for ref in refs:
        label = f"{ref.scenario.severity.label} · {ref.scenario.title}"
        if several:
            label = f"{label} ({ref.playbook.service})"
        options.append(blocks.option(label, ref.name))
    return options


def service_menu(action_id: str, services: Sequence[ServiceName], chosen: str = "") -> Element:
    """A menu of all services, or a search where Slack takes no menu of that length."""
    return blocks.menu(action_id, CHOOSE_SERVICE, service_options(services), chosen)


def message(snapshot: IncidentSnapshot, attached: AttachedPlaybook) -> Message:
    """The message in place of a playbook, while none is chosen: what people have to choose."""
    incident, refs = snapshot.incident, snapshot.scenarios[attached.service]
    further = bool(attached.prefix)
    names = {service.id: service for service in snapshot.services}
    candidates = [names[each] for each in _candidates(snapshot) if each in names]
    fits = any(ref.scenario.severity is incident.severity for ref in refs)
    mrkdwn = text.render(
        "choose_scenario",
        incident=incident,
        fits=fits,
        candidates=candidates,
        any_scenario=bool(refs),
        service=attached.playbook.title,
        further=further,
    )
    parts = [blocks.section(mrkdwn)]
    if incident.open and further:
        parts += _further_menu(attached, refs)
    elif incident.open:
        parts += _menus(snapshot, candidates)
    return Message(slack_items.playbook_key(attached), mrkdwn, parts)


def _further_menu(attached: AttachedPlaybook, refs: Sequence[ScenarioRef]) -> list[Block]:
    """The playbooks of a service that was taken in."""
    if not refs:
        return []
    menu = blocks.menu(action_ids.CHOOSE_SCENARIO, CHOOSE_PLAYBOOK, _scenario_titles(refs))
    return [blocks.actions(f"scenarios:{attached.service}", menu)]


def _candidates(snapshot: IncidentSnapshot) -> tuple[str, ...]:
    """What the words of the declaration could mean, while nobody has said it."""
    if snapshot.incident.service:
        return ()
    details = [entry.detail for entry in snapshot.entries]
    declared = [detail for detail in details if isinstance(detail, Declared)]
    return declared[0].candidates if declared else ()


def _menus(snapshot: IncidentSnapshot, candidates: Sequence[ServiceName]) -> list[Block]:
    """The services that are likely as buttons, all services, and the playbooks that fit."""
    incident, parts = snapshot.incident, []
    if candidates:
        buttons = [
            blocks.button(
                service.title, f"{action_ids.TAKE_SERVICE}.{number}", service.id, style="primary"
            )
            for number, service in enumerate(candidates)
        ]
        parts.append(blocks.actions("services:likely", *buttons))
    menus = []
    if len(snapshot.services) > 1:
        menus.append(service_menu(action_ids.CHOOSE_SERVICE, snapshot.services, incident.service))
    if refs := snapshot.scenarios[incident.service]:
        options = _scenario_titles(refs)
        placeholder = CHOOSE_PLAYBOOK if menus else "Choose"
        menus.append(blocks.menu(action_ids.CHOOSE_SCENARIO, placeholder, options))
    if menus:
        # The id changes with the service: else Slack goes on showing what somebody chose last.
        parts.append(blocks.actions(f"scenarios:{incident.service}", *menus))
    return parts


def _scenario_titles(refs: Sequence[ScenarioRef]) -> list[Element]:
    several = len({ref.playbook.service for ref in refs}) > 1
    return [
        blocks.option(
            f"{ref.playbook.service}: {ref.scenario.title}" if several else ref.scenario.title,
            ref.name,
        )
        for ref in refs
    ]


def proposed_service(snapshot: IncidentSnapshot) -> list[Block]:
    """A line of the card while the service is the one of the channel where it was declared."""
    incident = snapshot.incident
    details = [entry.detail for entry in snapshot.entries]
    declared = [detail for detail in details if isinstance(detail, Declared)]
    channel = declared[0].team_channel if declared else ""
    said = any(isinstance(detail, ServiceChosen | ScenarioChosen) for detail in details)
    if not channel or said or not incident.open:
        return []
    mrkdwn = text.render("card_service", incident=incident, channel=channel)
    other = blocks.button("Another service…", action_ids.OTHER_SERVICE, incident.id)
    return [blocks.section(mrkdwn, other, block_id="service")]


def form(
    incident: Incident,
    services: Sequence[ServiceName],
    refs: Sequence[ScenarioRef],
    *,
    metadata: str,
) -> dict[str, object]:
    """The form to choose a playbook, or only another service."""
    others = [service for service in services if service.id not in incident.services]
    options = scenario_options(refs, several=len(services) > 1)
    words = text.render("playbook_form", incident=incident, several=bool(others))
    parts: list[Block] = [blocks.section(words)]
    if options:
        menu = blocks.menu("scenario", CHOOSE_PLAYBOOK, options)
        parts.append(blocks.input_block("scenario", "Playbook", menu, optional=bool(others)))
    if others:
        hint = "To choose only the service: its people are invited, and its playbooks offered."
        menu = service_menu("service", others)
        parts.append(blocks.input_block("service", "Service", menu, hint=hint, optional=True))
    return blocks.modal(
        action_ids.PLAYBOOK_FORM, CHOOSE_PLAYBOOK, parts, submit="Choose", metadata=metadata
    )
