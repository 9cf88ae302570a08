"""What RUNBOLT_CONFIG says about the services, as far as playbooks need it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from bot.model import UserError
from bot.playbooks import validation, yaml_source
from bot.playbooks.service_values import ServiceValues
from bot.playbooks.yaml_source import SourceFile


def read(path: Path) -> dict[str, ServiceValues]:
    """The services of a file, or of all files in a folder, by their ids.

    Raises UserError with the mistakes in what is read of them; the start reports all others.
    """
    files = sorted([*path.glob("*.yml"), *path.glob("*.yaml")]) if path.is_dir() else [path]
    sources = [yaml_source.read(file) for file in files]
    services = dict(found for source in sources for found in _services(source))
    if mistakes := sorted(mistake for source in sources for mistake in source.diagnostics):
        head = f"The configuration {path} has mistakes, so no playbook was checked. Correct:"
        raise UserError("\n".join([head, *(f"  {mistake}" for mistake in mistakes)]))
    return services


def _services(source: SourceFile) -> Iterator[tuple[str, ServiceValues]]:
    services = source.value.get("services") if isinstance(source.value, dict) else None
    for service_id, settings in services.items() if isinstance(services, dict) else ():
        try:
            values = ServiceValues.model_validate(_playbook_settings(settings))
        except ValidationError as error:
            for detail in error.errors():
                key_path = ("services", service_id, *(part for part in detail["loc"]))
                text = validation.explain_with_field(detail, service_id)
                source.report(source.position(key_path), text)
        else:
            yield service_id, values


def _playbook_settings(settings: Any) -> dict[str, Any]:
    """The settings of a service that playbooks use; an empty service has all defaults."""
    own = settings if isinstance(settings, dict) else {}
    return {
        "title": own.get("title", ""),
        "values": own.get("values", {}),
        "clusters": _names(own, "cluster"),
        "namespaces": _names(own, "namespace"),
        "databases": list(own.get("databases") or ()),
    }


def _names(settings: dict[str, Any], key: str) -> list[Any]:
    """The service's own place, and the others that its steps may name."""
    return [
        *([settings[key]] if key in settings else []),
        *(settings.get(f"{key}s") or ()),
    ]
