"""Load playbooks from YAML, check them against the actions, and locate every mistake."""

from collections.abc import Collection, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar, Protocol, cast

from jinja2 import TemplateSyntaxError, meta
from jinja2.sandbox import SandboxedEnvironment

from bot import deprecations, durations, pages, parsing, statements
from bot.model import Noun, Playbook, Severity, UserError
from bot.pages import Mistake, Page, Place

# The variables of the templates for the internal alert and the customer message.
MESSAGE_NAMES = (
    *("severity", "service", "title", "status"),
    *("impact", "start_time", "current_status", "next_update"),
)

# A scenario is one Slack message of at most 50 blocks; the other 10 are for all but its steps.
MAX_STEPS = 40


class Named(Protocol):
    """The class of an action: a model with a name, whose fields are the params of a step."""

    name: ClassVar[str]


class PlaybookError(UserError):
    """Invalid playbook files, with all their mistakes in the order of the files and lines."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        self.mistakes = tuple(sorted(set(mistakes)))
        count = "1 mistake" if len(self.mistakes) == 1 else f"{len(self.mistakes)} mistakes"
        head = f"No playbook was loaded: {count}. Correct these and start again."
        super().__init__("\n".join([head, *map(str, self.mistakes)]))


def load(where: Path | Sequence[Path], actions: Sequence[type[Named]]) -> tuple[Playbook, ...]:
    """Load the playbooks of a folder, in the order of their names, or of the files given.

    Their steps are checked against `actions`. Raises PlaybookError with the mistakes of all files.
    """
    results = read(where, actions)
    mistakes = [mistake for page, _ in results for mistake in page.mistakes]
    if not results:
        mistakes.append(Mistake(str(where), *pages.NOWHERE, "expects .yml files, found none"))
    if mistakes:
        raise PlaybookError(mistakes)
    return tuple(playbook for _, playbook in results if playbook)


def read(
    where: Path | Sequence[Path], actions: Sequence[type[Named]]
) -> list[tuple[Page, Playbook | None]]:
    """Read the same files; each without mistakes has a playbook, any other may have None."""
    known = {action.name: cast(type[Noun], action) for action in actions}
    opened = [pages.read(file) for file in (files(where) if isinstance(where, Path) else where)]
    playbooks = [_playbook(page, known) for page in opened]
    _check_clashes(opened, playbooks)
    return list(zip(opened, playbooks, strict=True))


def files(where: Path) -> list[Path]:
    """The playbook files of a folder, sorted by name; or the file itself."""
    if where.is_dir():
        return sorted(file for file in where.iterdir() if file.suffix in (".yml", ".yaml"))
    return [where]


def _playbook(page: Page, known: dict[str, type[Noun]]) -> Playbook | None:
    """Convert a file to a playbook, or to None; every mistake is reported on the file."""
    if page.mistakes and page.value is None:
        return None
    _replace_old_keys(page, known)
    _check_levels(page)
    _check_follow_ups(page)
    _check_messages(page)
    _check_ids(page)
    for place, step in steps(page.value):
        _check_step(page, place, step, known)
        _check_choice(page, place, step)
    return parsing.parsed(page, Playbook, page.value)


def _replace_old_keys(page: Page, known: dict[str, type[Noun]]) -> None:
    """In all that the file holds, and for each step in its action's params, given or asked."""
    deprecations.replace(page, Playbook)
    for place, step in steps(page.value):
        action = known.get(str(step.get("action")))
        if action is not None and "params" in step:
            deprecations.replace(page, action, (*place, "params"))
        if action is not None and isinstance(step.get("ask"), list):
            deprecations.replace_words(page, action, (*place, "ask"))


def _check_levels(page: Page) -> None:
    """Check that every severity has its level, and convert the response times."""
    levels = page.value.get("severities") if isinstance(page.value, dict) else None
    if not isinstance(levels, dict):
        return
    for severity in Severity:
        if severity not in {parsing.near(key, Severity) or key for key in levels}:
            page.wrong(page.key_spot(("severities",)), f'"severities" has no {severity}')
    for key, level in levels.items():
        if isinstance(level, dict) and "response" in level:
            place = ("severities", key, "response")
            level["response"] = _duration(page, place, level["response"])


def _check_follow_ups(page: Page) -> None:
    """Convert a line alone to an item with that title, and convert the due times."""
    value = page.value.get("post_incident") if isinstance(page.value, dict) else None
    lines: list[Any] = value if isinstance(value, list) else []
    for index, line in enumerate(lines):
        if isinstance(line, str):
            lines[index] = {"title": line}
        elif isinstance(line, dict) and "due" in line:
            line["due"] = _duration(page, ("post_incident", index, "due"), line["due"])


def _duration(page: Page, place: Place, value: Any) -> str:
    """Convert a duration such as `15 min` to ISO 8601, which is what strict JSON takes.

    A mistake is reported, and gives a second, so that validation does not report it again.
    """
    try:
        span = durations.parse(value)
    except (ValueError, OverflowError):
        span = None
    if isinstance(span, timedelta) and span:
        return f"PT{int(span.total_seconds())}S"
    text = f'"{place[-1]}" {durations.EXPECTED}, found {parsing.shown(value)}'
    page.wrong(page.spot(place), text)
    return "PT1S"


def _check_messages(page: Page) -> None:
    """Check the templates of messages now, so that none fails during an incident."""
    for key in ("internal_alert", "customer_message"):
        template = page.value.get(key) if isinstance(page.value, dict) else None
        if isinstance(template, str):
            for mistake in _template_mistakes(template):
                page.wrong(page.spot((key,)), f'"{key}" {mistake}')


def _template_mistakes(template: str) -> Iterator[str]:
    """What Jinja2 cannot parse, or else the unknown variables."""
    try:
        names = _variables(template)
    except TemplateSyntaxError as error:
        reason = str(error.message).rstrip(".")
        yield f"is not a Jinja2 template: {reason}, in its line {error.lineno}"
        return
    for name in sorted(names - set(MESSAGE_NAMES)):
        yield f'has the unknown variable "{name}"{parsing.meant(name, MESSAGE_NAMES)}'


def _variables(template: str) -> set[str]:
    """The variables of a template; raises TemplateSyntaxError, for an unknown filter too."""
    environment = SandboxedEnvironment()
    environment.from_string(template)
    return meta.find_undeclared_variables(environment.parse(template))


def _check_ids(page: Page) -> None:
    """Check that ids are unique within their list, and that no scenario has too many steps."""
    _check_unique(page, ("scenarios",), page.value)
    for index, scenario in _mappings(page.value, "scenarios"):
        place: Place = ("scenarios", index, "steps")
        _check_unique(page, place, scenario)
        if len(list(_mappings(scenario, "steps"))) > MAX_STEPS:
            page.wrong(page.key_spot(place), f'"steps" expects at most {MAX_STEPS} in the list')


def _check_unique(page: Page, place: Place, value: Any) -> None:
    """Check that no two mappings in the list at `place`, which `value` holds, have the same id."""
    first_lines: dict[str, int] = {}
    for index, item in _mappings(value, str(place[-1])):
        line, column = page.spot((*place, index, "id"))
        item_id = str(item.get("id"))
        if item_id in first_lines:
            text = f'duplicate id "{item_id}", first on line {first_lines[item_id]}'
            page.wrong((line, column), text)
        elif "id" in item:
            first_lines[item_id] = line


def _check_clashes(pages: Sequence[Page], playbooks: Sequence[Playbook | None]) -> None:
    """Check that files about one service have no scenario with the same id."""
    first_files: dict[tuple[str, str], str] = {}
    for page, playbook in zip(pages, playbooks, strict=True):
        for index, scenario in enumerate(playbook.scenarios if playbook else ()):
            service = playbook.service if playbook else ""
            first_file = first_files.setdefault((service, scenario.id), page.file)
            if first_file != page.file:
                text = f'duplicate id "{scenario.id}" of {service}, first in {first_file}'
                page.wrong(page.spot(("scenarios", index, "id")), text)


def _mappings(value: Any, key: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """The mappings in the list at a key, with their indexes; none where the file has no list."""
    items = value.get(key) if isinstance(value, dict) else None
    for index, item in enumerate(items if isinstance(items, list) else []):
        if isinstance(item, dict):
            yield index, item


def steps(value: Any) -> Iterator[tuple[Place, dict[str, Any]]]:
    """The steps of all scenarios, each with its place in the file, as far as they are mappings."""
    for scenario_index, scenario in _mappings(value, "scenarios"):
        for step_index, step in _mappings(scenario, "steps"):
            yield ("scenarios", scenario_index, "steps", step_index), step


def _check_step(
    page: Page, place: Place, step: dict[str, Any], known: dict[str, type[Noun]]
) -> None:
    """Check that the action exists, and the params that the step sets or asks people for."""
    name, params, ask = step.get("action"), step.get("params", {}), step.get("ask", [])
    if not isinstance(name, str) or not isinstance(params, dict) or not isinstance(ask, list):
        return
    if name not in known:
        page.wrong(
            page.spot((*place, "action")), f'unknown action "{name}"{parsing.meant(name, known)}'
        )
        return
    action, prefix = known[name], f'action "{name}": '
    settable, fixed = parsing.fields(action), getattr(action, "fixed", ())
    for index, param in enumerate(ask):
        if mistake := _ask_mistake(param, settable, fixed):
            page.wrong(page.spot((*place, "ask", index)), prefix + mistake)
    for internal in (params.keys() & action.model_fields.keys()) - settable.keys():
        text = f'{prefix}unknown param "{internal}"; expects one of: {", ".join(settable)}'
        page.wrong(page.key_spot((*place, "params", internal)), text)
    if "sql" in action.model_fields:
        _insert_statement(page, (*place, "params"), params, prefix)
    parsing.parsed(page, action, params, (*place, "params"), prefix, ask)


def _ask_mistake(param: Any, settable: Collection[str], fixed: Collection[str]) -> str | None:
    """Why a step may not ask people for a param of its action, or None.

    `fixed` are the params that only a playbook may set.
    """
    if not isinstance(param, str):
        return None  # reported when the step is validated
    if param not in settable:
        return f'unknown param "{param}"{parsing.meant(param, settable)}'
    if param in fixed:
        return f'"{param}" can only be set in the playbook, not asked for'
    return None


def _insert_statement(page: Page, place: Place, params: dict[str, Any], prefix: str) -> None:
    """Add the text of the file that a query names, so that an open incident keeps its statement."""
    name = params.get("file", "")
    if not statements.is_name(name):
        return
    params["sql"] = ""
    try:
        params["sql"] = statements.read(name, Path(page.file))
    except ValueError as error:
        page.wrong(
            page.spot((*place, "file")), f'{prefix}"file" {error}, found {parsing.shown(name)}'
        )


def _check_choice(page: Page, place: Place, step: dict[str, Any]) -> None:
    """Check that a step, whose form offers the rows of another step, names a query step."""
    params = step.get("params")
    choice = params.get("choose_from") if isinstance(params, dict) else None
    source_id = choice.get("step") if isinstance(choice, dict) else None
    scenario = page.value["scenarios"][place[1]]
    query_ids = [
        str(other.get("id"))
        for _, other in _mappings(scenario, "steps")
        if other.get("action") == "query"
    ]
    if isinstance(source_id, str) and source_id not in query_ids:
        text = f'"step" expects a query step of this scenario, found "{source_id}"'
        spot = page.spot((*place, "params", "choose_from", "step"))
        page.wrong(spot, text + parsing.meant(source_id, query_ids))
