"""Read the configuration: a file, or a folder of files in which each team has its own."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from bot.config import checks, policy_checks
from bot.config.checks import Surroundings
from bot.config.night import SignIn
from bot.config.policy_checks import Known
from bot.config.service import ADDED_LISTS, Config, ConfigFile, ServiceConfig, merged
from bot.model import Risk, UserError
from bot.playbooks import deprecations, validation, yaml_source
from bot.playbooks.yaml_source import KeyPath, SourceFile

# What today's variables say of the one service that there is.
ONE_SERVICE = {
    "databases": {"main": {"read": "ORDERS_DATABASE_URL", "admin": "ORDERS_DATABASE_ADMIN_URL"}},
    "stripe": "STRIPE_API_KEY",
}
HEADINGS = ("services", "defaults")


class Section(NamedTuple):
    """Where a setting, or all those of a service, stand."""

    source: SourceFile
    key_path: KeyPath

    @property
    def value(self) -> Any:
        """What it says."""
        return self.source.value_at(self.key_path)

    def report(self, message: str, *inside: str | int) -> None:
        """Add a mistake at its key, or at a key inside of it, as far as the file has that."""
        position = self.source.key_position((*self.key_path, *inside))
        self.source.report(position, message)

    def __str__(self) -> str:
        return f"{self.source.path}:{self.source.key_position(self.key_path)[0]}"


class Layout(NamedTuple):
    """Where each default and each service stands, and where the whole begins."""

    start: Section
    defaults: Mapping[str, Section]
    services: Mapping[str, Section]

    def section(self, service: ServiceConfig, name: str) -> Section:
        """Where a setting of a service stands: with the service, or else with the defaults."""
        own = self.services.get(service.id)
        if own is not None and name in own.value:
            return Section(own.source, (*own.key_path, name))
        return self.defaults.get(name) or own or self.start

    def is_written(self, service: ServiceConfig, name: str) -> bool:
        """Whether people wrote it, for this service or as a default."""
        own = self.services.get(service.id)
        return name in self.defaults or (own is not None and name in own.value)

    def report_policy(self, service: ServiceConfig, message: str, *inside: str | int) -> None:
        """Add a mistake at a key of a service's policy, or of the defaults'."""
        section, inside = self._policy_section(service, inside)
        is_own = service.id and section is not self.defaults.get("policy")
        of = f" of {service.id}" if is_own else ""
        section.report(f"{'.'.join(map(str, ('policy', *inside)))}{of}: {message}", *inside)

    def _policy_section(
        self, service: ServiceConfig, inside: tuple[str | int, ...]
    ) -> tuple[Section, tuple[str | int, ...]]:
        """Where a key stands: of lists to which a team adds, the first items are the defaults'."""
        own, default = self.section(service, "policy"), self.defaults.get("policy")
        if default is None or own is default or not inside:
            return own, inside
        listed, key, place = inside[0] in ADDED_LISTS, inside[0], inside[1]
        if not listed or not isinstance(place, int):
            return (own if _has(own, inside) else default), inside
        count = len(default.value.get(key) or ())
        return (default, inside) if place < count else (own, (key, place - count, *inside[2:]))


def _has(section: Section, inside: tuple[str | int, ...]) -> bool:
    """Whether it says something at a key."""
    value = section.value
    for key in inside:
        if not isinstance(value, Mapping) or key not in value:
            return False
        value = value[key]
    return True


def load(
    path: Path,
    surroundings: Surroundings | None = None,
    actions: Mapping[str, Risk] | None = None,
) -> Config:
    """Read the files; raises UserError that names the variable and each line with a mistake.

    Without `surroundings` it is not checked whether the clusters and variables named are there;
    without the risks of `actions`, whether the actions are.
    """
    sources = [_read(file) for file in config_files(path)]
    _stop_on_mistakes(path, sources)
    if not sources:
        raise UserError(f"RUNBOLT_CONFIG names {path}, which has no .yml file: nothing was started")
    layout = _layout(sources)
    _stop_on_mistakes(path, sources)
    config = _build(layout, surroundings)
    _stop_on_mistakes(path, sources)
    known = Known(actions or {}, config.services)
    for service in config.all:
        checks.check(service, layout, surroundings)
        checks.check_second_step(service, config.sign_in, layout)
        report = partial(layout.report_policy, service)
        policy_checks.check_services(service, known, report)
        policy_checks.check(service, known, report)
    checks.check_sign_in(config.sign_in, layout, surroundings)
    _stop_on_mistakes(path, sources)
    return config


def config_files(path: Path) -> list[Path]:
    """The file itself, or the YAML files of a folder in the order of their names."""
    if path.is_dir():
        return sorted(file for file in path.iterdir() if file.suffix in (".yml", ".yaml"))
    return [path]


def _stop_on_mistakes(path: Path, sources: Sequence[SourceFile]) -> None:
    mistakes = sorted({mistake for source in sources for mistake in source.diagnostics})
    if mistakes:
        head = f"RUNBOLT_CONFIG ({path}) has mistakes, so nothing was started. Correct:"
        raise UserError("\n".join([head, *(f"  {mistake}" for mistake in mistakes)]))


def _read(file: Path) -> SourceFile:
    """One file, whose parts are checked one by one."""
    source = yaml_source.read(file)
    deprecations.replace(source, ConfigFile)
    if not source.diagnostics:
        source.value = {} if source.value is None else source.value
        try:
            ConfigFile.model_validate(source.value)
        except ValidationError as error:
            _report(source, error)
    return source


def _layout(sources: Sequence[SourceFile]) -> Layout:
    """Find each setting and each service; what stands twice is a mistake."""
    defaults: dict[str, Section] = {}
    services: dict[str, Section] = {}
    for section in (section for source in sources for section in _sections(source)):
        name = str(section.key_path[-1])
        known = services if section.key_path[0] == "services" else defaults
        first = known.setdefault(name, section)
        if first is not section:
            section.report(f"{'.'.join(map(str, section.key_path))}: stands already in {first}")
    return Layout(Section(sources[0], ()), defaults, services)


def _sections(source: SourceFile) -> Iterator[Section]:
    value = source.value
    yield from (Section(source, (key,)) for key in value if key not in HEADINGS)
    for group in ("defaults", "services"):
        yield from (Section(source, (group, key)) for key in value.get(group) or ())


def _build(layout: Layout, surroundings: Surroundings | None) -> Config:
    """Fill in the defaults of each service; a mistake of the whole is reported at its section."""
    settings = {name: section.value for name, section in layout.defaults.items()}
    playbooks, sign_in = settings.pop("playbooks", None), settings.pop("sign_in", None)
    base = dict(ONE_SERVICE) if len(layout.services) < 2 else {}
    if surroundings is not None:
        base["namespace"] = surroundings.namespace
    settings = {**base, **settings}
    defaults = _service(layout, "", settings)
    services = {
        name: _service(layout, name, merged(settings, section.value))
        for name, section in layout.services.items()
    }
    built = {name: service for name, service in services.items() if service is not None}
    return Config(
        defaults=defaults or ServiceConfig(),
        services=built,
        playbooks=None if playbooks is None else Path(playbooks),
        sign_in=None if sign_in is None else SignIn.model_validate(sign_in),
    )


def _service(layout: Layout, name: str, settings: Mapping[str, Any]) -> ServiceConfig | None:
    try:
        return ServiceConfig.model_validate({**settings, "id": name})
    except ValidationError as error:
        for detail in error.errors():
            section = layout.section(ServiceConfig(id=name), str(detail["loc"][0]))
            section.report(validation.explain_with_field(detail, "the file"))
        return None


def _report(source: SourceFile, error: ValidationError) -> None:
    """Report pydantic's errors at the keys that they are about."""
    for detail in error.errors():
        key_path = tuple(part for part in detail["loc"] if part != "[key]")
        source.report(
            source.key_position(key_path), validation.explain_with_field(detail, "the file")
        )
