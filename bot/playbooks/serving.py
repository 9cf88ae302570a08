"""Which services a playbook file serves, the file as it is for each, and the mistakes of all."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple, TypeVar

from bot.model import Model
from bot.playbooks import rendering, validation
from bot.playbooks.rendering import MESSAGES, NAMES, NotKnown, Service
from bot.playbooks.service_values import ServiceValues
from bot.playbooks.yaml_source import Diagnostic, KeyPath, SourceFile

ALL = "all"
# A mistake that all of 200 services have is one line, which names the first of them.
NAMED = 3

# The configured services by their ids; none where nothing is configured, None where nobody knows.
Services = Mapping[str, ServiceValues] | None


class Owner(NamedTuple):
    """A service that a file serves, with its values and what is configured; the id may be empty."""

    id: str
    service: Service
    configured: ServiceValues


def owners(source: SourceFile, services: Services, defaults: ServiceValues) -> list[Owner]:
    """The services of a file, in its order; mistakes in naming them are reported on it.

    Those that are not in `services` have the `defaults`. There is always one, so that the rest of
    the file is checked.
    """
    value = source.value if isinstance(source.value, dict) else {}
    ids = list(_ids(source, value, services))
    known = services or {}
    is_complete = services is not None
    found = [_owner(value, name, known.get(name, defaults), is_complete) for name in ids]
    return found or [Owner("", Service("", {}, is_complete=False), ServiceValues())]


def _ids(source: SourceFile, value: dict[str, Any], services: Services) -> Iterator[str]:
    """The ids that a file names and that are configured, if anything is."""
    if "services" not in value:
        named: dict[KeyPath, Any] = {("service",): value.get("service")}
    elif "service" in value:
        text = '"service" and "services" are both there; keep one of them'
        source.report(source.key_position(("services",)), text)
        return
    elif value["services"] == ALL:
        yield from _all(source, services)
        return
    else:
        named = _listed(source, value["services"])
    seen: set[str] = set()
    for key_path, service_id in named.items():
        if isinstance(service_id, str) and _is_new(source, key_path, service_id, seen, services):
            yield service_id


def _all(source: SourceFile, services: Services) -> Iterator[str]:
    if services is not None and not services:
        source.report(
            source.position(("services",)),
            '"services" is all, but no service is configured; list some under "services" in '
            "RUNBOLT_CONFIG",
        )
    yield from services or ()


def _listed(source: SourceFile, value: Any) -> dict[KeyPath, Any]:
    """The items of the list, by their places."""
    position = source.position(("services",))
    if not isinstance(value, list):
        text = f'"services" expects a list of services, or all, found {validation.quoted(value)}'
        source.report(position, text)
    elif not value:
        source.report(position, '"services" expects at least 1 in the list')
    else:
        for index, item in enumerate(value):
            if not isinstance(item, str):
                text = f'item {index + 1} of "services" expects text, found '
                source.report(source.position(("services", index)), text + validation.quoted(item))
        return {("services", index): item for index, item in enumerate(value)}
    return {}


def _is_new(
    source: SourceFile, key_path: KeyPath, service_id: str, seen: set[str], services: Services
) -> bool:
    """Whether a service is configured, and is not named before; else that is reported."""
    if service_id in seen:
        source.report(source.position(key_path), f'duplicate service "{service_id}"')
        return False
    seen.add(service_id)
    if services and service_id not in services:
        text = f'unknown service "{service_id}"{validation.suggestion(service_id, services)}'
        source.report(source.position(key_path), text)
        return False
    return True


def _owner(
    value: dict[str, Any], service_id: str, configured: ServiceValues, is_complete: bool
) -> Owner:
    title = value.get("title")
    in_file = title if isinstance(title, str) and not rendering.mentions(title) else ""
    name = configured.title or in_file or service_id
    known = {"id": service_id, "title": name} | configured.values
    return Owner(service_id, Service(name, known, is_complete), configured)


def texts_with_values(source: SourceFile) -> dict[KeyPath, str]:
    """The texts of a file that values are written in; what is no expression is reported on it."""
    texts: dict[KeyPath, str] = {}
    for key_path, text in rendering.find(source.value):
        mistake = rendering.syntax_mistake(text)
        if mistake:
            source.report(source.position(key_path), f'"{key_path[-1]}" {mistake}')
        elif rendering.mentions(text):
            texts[key_path] = text
    for name in MESSAGES:
        template = source.value.get(name) if isinstance(source.value, dict) else None
        if isinstance(template, str) and rendering.message_mentions(template):
            texts[(name,)] = template
    return texts


def write(source: SourceFile, owner: Owner, texts: Mapping[KeyPath, str]) -> SourceFile:
    """The file as it is for one service, with the mistakes in its values, and no others.

    Where a value is not known, the text stays as it is.
    """
    mine = source.copy()
    written: dict[KeyPath, Any] = {}
    for key_path, text in texts.items():
        position = source.position(key_path)
        try:
            written[key_path] = _written(key_path, text, owner.service)
        except NotKnown as unknown:
            source.unchecked[position] = str(unknown)
        except rendering.ERRORS as error:
            mine.report(position, rendering.explain(error, str(key_path[-1])))
    mine.value = rendering.replace(source.value, written)
    if isinstance(mine.value, dict) and "services" in mine.value:
        del mine.value["services"]
        mine.value |= {"service": owner.id or ALL}
        mine.value.setdefault("title", owner.service.title or ALL)
    return mine


def _written(key_path: KeyPath, text: str, service: Service) -> Any:
    if key_path[0] in MESSAGES:
        return rendering.render_message(text, service)
    value = rendering.render(text, service)
    # Only actions take numbers; people read text.
    return value if "params" in key_path or isinstance(value, bool) else str(value)


AnyValue = TypeVar("AnyValue")


def shared(value: AnyValue, other: AnyValue) -> AnyValue:
    """The value with those of its parts that equal `other`'s being the same objects."""
    if value == other:
        return other
    result: Any = value
    match value, other:
        case Model(), Model():
            fields = {
                name: shared(getattr(value, name), getattr(other, name))
                for name in type(value).model_fields
            }
            result = value.model_copy(update=fields)
        case tuple(), tuple() if len(value) == len(other):
            result = tuple(map(shared, value, other))
        case dict(), dict():
            result = {key: shared(item, other.get(key)) for key, item in value.items()}
    return result  # type: ignore[no-any-return]


class Mistakes:
    """The mistakes of one file for all of its services, without repeating what is equal."""

    def __init__(self, source: SourceFile, texts: Collection[KeyPath]) -> None:
        self._source = source
        self._of_values = {source.position(key_path) for key_path in texts}
        self._services: dict[Diagnostic, list[str]] = {}

    def add(self, service_id: str, source: SourceFile) -> None:
        """Add what was found for a service; at a text with values, it is about this one alone."""
        for mistake in source.diagnostics[len(self._source.diagnostics) :]:
            position, message = (mistake.line, mistake.column), mistake.message
            if position in self._source.unchecked:
                continue
            if position in self._of_values and NAMES not in message:
                message = f"{message} (for {NAMES})"
            key = Diagnostic(mistake.file, mistake.line, mistake.column, message)
            self._services.setdefault(key, []).append(service_id)

    def report(self) -> None:
        """Report each once on the file, with the services that it is about."""
        for mistake, service_ids in self._services.items():
            message = mistake.message.replace(NAMES, listed(service_ids))
            self._source.diagnostics.append(
                Diagnostic(mistake.file, mistake.line, mistake.column, message)
            )


def listed(service_ids: list[str]) -> str:
    """Such as `checkout, search and 198 more`."""
    if len(service_ids) <= NAMED:
        return ", ".join([*service_ids[:-2], " and ".join(service_ids[-2:])])
    return f"{', '.join(service_ids[: NAMED - 1])} and {len(service_ids) - NAMED + 1} more"
