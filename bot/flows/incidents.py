"""Incidents: find one, choose its playbook, change severity and status, note, resolve."""

import asyncio
from collections.abc import Collection, Sequence

from bot import rules, store
from bot.config import Right
from bot.flows import reminders, tasks, teams
from bot.flows.transactions import changing, lock_open, log_execution
from bot.model import (
    AttachedPlaybook,
    Entry,
    Execution,
    ExecutionState,
    FurtherPlaybook,
    Incident,
    IncidentId,
    OpenIncidents,
    Playbook,
    Scenario,
    ScenarioRef,
    ServiceName,
    Severity,
    Status,
    UserError,
    UserId,
    entries,
)
from bot.store.db import Conn
from bot.world import World


def find_service(world: World, service_id: str) -> ServiceName | None:
    """The service of this id, or the only one that there is; None where it is none of several."""
    services = rules.service_names.served(world.config, world.playbooks)
    if len(services) == 1:
        return services[0]
    return next((service for service in services if service.id == service_id), None)


def find_scenario(world: World, name: str) -> ScenarioRef:
    """The scenario named `service/id`; raises UserError when there is none."""
    for ref in rules.incidents.all_scenarios(world.playbooks):
        if name == ref.name:
            return ref
    raise UserError("That playbook no longer exists. Nothing was chosen; choose another one.")


async def get(world: World, incident_id: IncidentId) -> Incident:
    """The incident of that number; raises UserError when there is none."""
    async with world.pool.connection() as conn:
        incident = await store.incidents.get(conn, incident_id)
    if incident is None:
        raise UserError(f"INC-{incident_id} does not exist. Nothing was done.")
    return incident


async def find(world: World, channel: str | None) -> Incident | None:
    """The incident of this channel, or None."""
    async with world.pool.connection() as conn:
        return await store.incidents.in_channel(conn, channel) if channel else None


async def in_channel(world: World, channel: str | None) -> Incident:
    """The incident of this channel; raises UserError that lists the open ones."""
    found = await find(world, channel)
    if found is None:
        listed = await list_open(world)
        others = listed.total - len(listed.incidents)
        raise UserError(rules.incidents.wrong_channel_message(listed.incidents, others))
    return found


async def timeline(world: World, incident_id: IncidentId) -> tuple[Entry, ...]:
    """The timeline of an incident, oldest first."""
    async with world.pool.connection() as conn:
        return await store.timeline.of_incident(conn, incident_id)


def own_clusters(world: World, incident: Incident) -> dict[str, str]:
    """The cluster in which the steps of each of its services act, unless they name another."""
    return {service: world.config.of(service).cluster for service in incident.services}


async def list_open(world: World, service: str | None = None) -> OpenIncidents:
    """The open incidents that lists show, of all services or of one."""
    unreadable: list[str] = []
    most = rules.incidents.MAX_LISTED
    services = None if service is None else (service,)
    async with world.pool.connection() as conn:
        return OpenIncidents(
            incidents=await store.incidents.list_open(conn, most, unreadable, services),
            unreadable=tuple(unreadable),
            total=await store.incidents.count_open(conn, services),
            publish_errors=await store.publications.publish_errors(conn),
        )


async def choose_scenario(
    world: World,
    incident_id: IncidentId,
    name: str,
    *,
    seen: Collection[str],
    previous_service: str | None = None,
    by: UserId,
) -> None:
    """Choose a scenario for its service, or in place of the incident's own playbook.

    `seen` are those that the person saw as chosen, and `previous_service` the incident's own; None
    where they were not told the service. Executions and tasks of the former scenario stay as they
    are. Raises UserError.
    """
    ref = find_scenario(world, name)
    async with changing(world, incident_id) as conn:
        incident = await lock_open(conn, incident_id)
        service = ref.playbook.service
        attached = incident.further_playbook_of(service)
        _check_seen(attached or incident.playbooks[0], seen)
        if attached is None and previous_service not in (None, incident.service):
            raise UserError(_chosen_before(incident))
        is_other = service != incident.service
        if attached is None:
            await _set_playbook(world, conn, incident, *ref)
        else:
            await _set_further_playbook(world, conn, incident, ref)
        entry = entries.ScenarioChosen(
            scenario=ref.scenario.title, service=ref.playbook.title if is_other else ""
        )
        await store.timeline.add(conn, incident_id, entry, at=world.now(), by=by)


async def _set_further_playbook(
    world: World, conn: Conn, incident: Incident, ref: ScenarioRef
) -> None:
    """Set the scenario of a service that was taken in; what is due stays: that is of the first."""
    new = FurtherPlaybook(playbook=ref.playbook, scenario_id=ref.scenario.id)
    playbooks = [
        new if each.playbook.service == ref.playbook.service else each
        for each in incident.further_playbooks
    ]
    chosen = await store.incidents.set_further_playbooks(conn, incident.id, playbooks)
    await tasks.create_step_tasks(conn, chosen, world.now())


def _chosen_before(incident: Incident) -> str:
    return (
        f"“{incident.playbook.title}” was already chosen. Nothing was changed. To choose another "
        "service, use `/incident playbook`."
    )


async def choose_service(
    world: World, incident_id: IncidentId, service_id: str, *, previous: str, by: UserId
) -> None:
    """Say which service it is; `previous` is the one that the person saw. Raises UserError.

    Its playbook comes along, and the scenario where the words of the title decide on it.
    """
    services = rules.service_names.served(world.config, world.playbooks)
    service = next((each for each in services if each.id == service_id), None)
    if service is None:
        raise UserError("That service is not served any more. Nothing was chosen; choose another.")
    async with changing(world, incident_id) as conn:
        incident = await lock_open(conn, incident_id)
        if incident.service != previous or incident.service == service.id:
            raise UserError(_chosen_before(incident))
        rules.incidents.check_has_not(incident, service.id)
        named = rules.service_names.read(incident.title, services)
        said = named.rest if named.service == service.id else incident.title
        book, scenario = rules.fitting.choose(world.playbooks, service, incident.severity, said)
        await _set_playbook(world, conn, incident, book, scenario)
        entry = entries.ServiceChosen(
            service=service.title, scenario=scenario.title if scenario else ""
        )
        await store.timeline.add(conn, incident_id, entry, at=world.now(), by=by)


async def _set_playbook(
    world: World, conn: Conn, incident: Incident, playbook: Playbook, scenario: Scenario | None
) -> None:
    """Change the playbook, and with it what is due: another service has other clocks."""
    now = world.now()
    chosen = await store.incidents.set_scenario(
        conn, incident.id, playbook, scenario.id if scenario else None
    )
    if chosen.service != incident.service and incident.last_update_at is None:
        config, since = world.config.of(chosen.service), incident.declared_at
        due = rules.deadlines.next_update_at(config, chosen.severity, chosen.status, since, now)
        chosen = await store.incidents.set_status(
            conn,
            incident.id,
            severity=chosen.severity,
            status=chosen.status,
            next_update_at=due,
        )
    await reminders.reschedule(world, conn, chosen, previous=incident)
    await tasks.create_step_tasks(conn, chosen, now)


def _check_seen(attached: AttachedPlaybook, seen: Collection[str]) -> None:
    """Raise UserError where a scenario was chosen that the person did not see."""
    if attached.scenario is not None and attached.name not in seen:
        raise UserError(
            f"“{attached.scenario.title}” was already chosen. Nothing was changed. To choose "
            "another one, use `/incident playbook`."
        )


async def change_severity(
    world: World, incident_id: IncidentId, severity: Severity, *, by: UserId
) -> Incident:
    """Change the severity and reschedule what is due; raises UserError."""
    async with changing(world, incident_id) as conn:
        incident = await lock_open(conn, incident_id)
        if incident.severity is severity:
            raise UserError(f"{incident.name} is already {severity.label}. Nothing was changed.")
        changed = await _change(world, conn, incident, severity=severity, status=incident.status)
        mismatched = rules.incidents.mismatched_scenario(world.playbooks, changed)
        entry = entries.SeverityChanged(
            old=incident.severity.label,
            new=severity.label,
            mismatched=mismatched.title if mismatched else "",
            meant_for=mismatched.severity.label if mismatched else "",
        )
        await store.timeline.add(conn, incident_id, entry, at=world.now(), by=by)
    return changed


async def change_status(
    world: World, incident_id: IncidentId, status: Status, *, by: UserId
) -> Incident:
    """Change the status and reschedule what is due; raises UserError."""
    if status is Status.RESOLVED:
        raise UserError("Nothing was changed. To resolve the incident, use `/incident resolve`.")
    rules.incidents.check_known(status)
    async with changing(world, incident_id) as conn:
        incident = await lock_open(conn, incident_id)
        return await change_locked(world, conn, incident, status, by=by)


async def change_locked(
    world: World,
    conn: Conn,
    incident: Incident,
    status: Status,
    *,
    by: UserId,
    proposed: bool = False,
) -> Incident:
    """The same of an incident that this transaction has locked; raises UserError.

    `proposed` says that the card proposed it.
    """
    if incident.status is status:
        raise UserError(f"{incident.name} is already {status.value}. Nothing was changed.")
    changed = await _change(world, conn, incident, severity=incident.severity, status=status)
    entry = entries.StatusChanged(old=incident.status.value, new=status.value, proposed=proposed)
    await store.timeline.add(conn, incident.id, entry, at=world.now(), by=by)
    return changed


async def _change(
    world: World, conn: Conn, incident: Incident, *, severity: Severity, status: Status
) -> Incident:
    promise = await store.updates.promised_next_at(conn, incident.id)
    due = rules.deadlines.update_due_after_change(
        world.config.of(incident.service), incident, severity, status, promise, world.now()
    )
    changed = await store.incidents.set_status(
        conn, incident.id, severity=severity, status=status, next_update_at=due
    )
    await reminders.reschedule(world, conn, changed, previous=incident)
    return changed


async def note(
    world: World, incident_id: IncidentId, text: str, *, by: UserId, source: str
) -> None:
    """Add a person's note to the timeline."""
    async with changing(world, incident_id) as conn:
        entry, now = entries.Noted(), world.now()
        await store.timeline.add(conn, incident_id, entry, at=now, by=by, text=text, source=source)


async def pin(
    world: World, incident_id: IncidentId, text: str, *, author: str, by: UserId, source: str
) -> bool:
    """Add a message to the timeline; False when it is there already."""
    async with world.pool.connection() as conn:
        pinned, now = entries.Pinned(author=author), world.now()
        entry = await store.timeline.add(
            conn, incident_id, pinned, at=now, by=by, text=text, source=source
        )
    return entry is not None


async def check_may_resolve(world: World, incident: Incident, *, by: UserId) -> None:
    """Raise UserError before the form is shown; who belongs to the team as of a minute waits less.

    Sending the form decides.
    """
    if by not in await teams.cached(world, incident):
        await _check_may_resolve(world, incident, by)


async def _check_may_resolve(world: World, incident: Incident, by: UserId) -> None:
    """Raise UserError for those who may not; without configured responders everybody may."""
    if teams.lets_anyone(world, incident, Right.RESOLVE):
        return
    person, team = await asyncio.gather(
        world.directory.fetch_user(by), teams.fetch(world, incident)
    )
    async with world.pool.connection() as conn:
        appointed_by = await store.timeline.latest_appointer(conn, incident.id)
    rules.permissions.check_may_resolve(incident, person, team, appointed_by)


async def resolve(
    world: World, incident_id: IncidentId, resolution: str, *, by: UserId, override_reason: str = ""
) -> None:
    """Resolve an incident: stop its reminders, void its pending requests; raises UserError.

    `override_reason` says why it may end although a check failed.
    """
    await _check_may_resolve(world, await get(world, incident_id), by)
    async with changing(world, incident_id) as conn:
        incident = await lock_open(conn, incident_id)
        now = world.now()
        # Void first: an execution that starts now is then seen as running, and rolls this back.
        unreadable: list[str] = []
        voided = await store.executions.void(conn, incident_id, now, unreadable)
        executions = await store.executions.of_incident(conn, incident_id, unreadable)
        others = await store.executions.applied_after_failures(conn, executions)
        _check_nothing_open(executions, others, unreadable, override_reason)
        await store.incidents.resolve(conn, incident_id, by=by, at=now, resolution=resolution)
        await store.reminders.settle(conn, incident_id, now)
        await tasks.create_follow_ups(conn, incident, now)
        for execution in voided:
            await log_execution(conn, execution, entries.Voided(), at=now, by=by)
        entry = entries.Resolved(despite=override_reason)
        await store.timeline.add(conn, incident_id, entry, at=now, by=by, text=resolution)


def _check_nothing_open(
    executions: Sequence[Execution],
    others: Sequence[Execution],
    unreadable: Sequence[str],
    override_reason: str,
) -> None:
    running = [
        execution.title for execution in executions if execution.state is ExecutionState.RUNNING
    ]
    if running:
        raise UserError(
            f"“{running[0]}” is still running. The incident was not resolved; wait until it has "
            "ended."
        )
    if unreadable and not override_reason:
        raise UserError(
            f"This version of the bot cannot read {unreadable[0]}, and does not know if it was "
            "done. The incident was not resolved. Use `/incident resolve` again: the form asks why "
            "it may end anyway."
        )
    unsure = rules.changes.unverified(executions, others)
    if unsure and not override_reason:
        raise UserError(
            f"The check of “{unsure[0].title}” failed or is missing. The incident was not "
            "resolved. Use `/incident resolve` again: the form asks why it may end anyway."
        )
