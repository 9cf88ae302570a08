"""Load playbooks from YAML, check them against the actions, and locate every mistake."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Protocol, cast

from jinja2 import TemplateSyntaxError, meta, nodes
from jinja2.sandbox import SandboxedEnvironment
from pydantic import ValidationError

from bot import durations
from bot.model import PLACE_KEYS, Model, Playbook, Severity, UserError
from bot.playbooks import deprecations, serving, sql_files, statements, validation, yaml_source
from bot.playbooks.rendering import MESSAGES, NAMES
from bot.playbooks.service_values import ServiceValues
from bot.playbooks.serving import Owner, Services
from bot.playbooks.yaml_source import Diagnostic, KeyPath, SourceFile

# The variables of the templates for the internal alert and the customer message.
MESSAGE_VARIABLES = (
    *("severity", "service", "title", "status"),
    *("impact", "start_time", "current_status", "next_update"),
)

# A scenario is one Slack message of at most 50 blocks; the other 10 are for all but its steps.
MAX_STEPS = 40

NOTHING_CONFIGURED: Mapping[str, ServiceValues] = MappingProxyType({})
NO_VALUES = ServiceValues()

# `scenarios`, an index, `steps`, an index.
STEP_DEPTH = 4

Actions = dict[str, type[Model]]


class ActionClass(Protocol):
    """The class of an action: a model with a name, whose fields are the params of a step."""

    name: ClassVar[str]


class PlaybookError(UserError):
    """Invalid playbook files, with all their mistakes in the order of the files and lines."""

    def __init__(self, mistakes: Sequence[Diagnostic]) -> None:
        self.diagnostics = tuple(sorted(set(mistakes)))
        count = "1 mistake" if len(self.diagnostics) == 1 else f"{len(self.diagnostics)} mistakes"
        head = f"No playbook was loaded: {count}. Correct these and start again."
        super().__init__("\n".join([head, *map(str, self.diagnostics)]))


def load(
    paths: Path | Sequence[Path],
    actions: Sequence[type[ActionClass]],
    services: Mapping[str, ServiceValues] = NOTHING_CONFIGURED,
    defaults: ServiceValues = NO_VALUES,
) -> tuple[Playbook, ...]:
    """Load the playbooks of a folder, in the order of their names, or of the files given.

    A file for several services gives one playbook for each, with the values that `services` has for
    its id. Where that is empty, no service is configured, and each has the `defaults`. Steps are
    checked against `actions`. Raises PlaybookError with the mistakes of all files.
    """
    results = read(paths, actions, services, defaults)
    mistakes = [mistake for source, _ in results for mistake in source.diagnostics]
    if not results:
        mistakes.append(
            Diagnostic(str(paths), *yaml_source.WHOLE_FILE, "expects .yml files, found none")
        )
    if mistakes:
        raise PlaybookError(mistakes)
    return tuple(playbook for _, playbooks in results for playbook in playbooks)


def read(
    paths: Path | Sequence[Path],
    actions: Sequence[type[ActionClass]],
    services: Services = NOTHING_CONFIGURED,
    defaults: ServiceValues = NO_VALUES,
) -> list[tuple[SourceFile, tuple[Playbook, ...]]]:
    """Read the same files; each without mistakes has its playbooks, any other may lack some.

    Where `services` is None, nobody knows what is configured: `unchecked` of a file names what
    could not be checked.
    """
    known = {action.name: cast(type[Model], action) for action in actions}
    opened = [
        yaml_source.read(file)
        for file in (playbook_files(paths) if isinstance(paths, Path) else paths)
    ]
    results = [
        (source, _convert(source, known, serving.owners(source, services, defaults)))
        for source in opened
    ]
    _check_clashes(results)
    return results


def playbook_files(path: Path) -> list[Path]:
    """The playbook files of a folder, sorted by name; or the file itself."""
    if path.is_dir():
        return sorted(file for file in path.iterdir() if file.suffix in (".yml", ".yaml"))
    return [path]


def _convert(source: SourceFile, actions: Actions, owners: Sequence[Owner]) -> tuple[Playbook, ...]:
    """Convert a file to a playbook for each of its services; mistakes are reported on the file."""
    if source.diagnostics and source.value is None:
        return ()
    _replace_old_keys(source, actions)
    _check_severities(source)
    _check_messages(source)
    _check_ids(source)
    for key_path, step in iter_steps(source.value):
        _check_step(source, key_path, step, actions)
        _check_row_source(source, key_path, step)
    texts = serving.texts_with_values(source)
    in_steps = _by_step(texts)
    mistakes = serving.Mistakes(source, texts)
    playbooks: list[Playbook] = []
    for index, owner in enumerate(owners):
        mine = serving.write(source, owner, texts)
        playbook = _convert_for(mine, owner, actions, in_steps, is_first=index == 0)
        mistakes.add(owner.id, mine)
        if playbook is not None:
            playbooks.append(serving.shared(playbook, playbooks[0]) if playbooks else playbook)
    mistakes.report()
    return tuple(playbooks)


def _convert_for(
    source: SourceFile,
    owner: Owner,
    actions: Actions,
    in_steps: Mapping[KeyPath, Sequence[KeyPath]],
    *,
    is_first: bool,
) -> Playbook | None:
    """Convert the file as it is for one service; every mistake is reported on it.

    `in_steps` are the texts with values of each step that has any: the params of other steps are
    those of the first service, and are not checked again.
    """
    _convert_responses(source)
    _convert_follow_ups(source)
    for key_path, step in iter_steps(source.value):
        action = _action(step, actions)
        if action is not None and (is_first or key_path in in_steps):
            _check_params(source, key_path, step, action, in_steps.get(key_path, ()))
        if action is not None:
            _check_place(source, key_path, step, action, owner)
    return validation.validate(source, Playbook, source.value)


def _by_step(texts: Collection[KeyPath]) -> dict[KeyPath, list[KeyPath]]:
    """The places of texts in steps, by the places of their steps."""
    in_steps: dict[KeyPath, list[KeyPath]] = {}
    for key_path in texts:
        if key_path[0] == "scenarios":
            in_steps.setdefault(key_path[:STEP_DEPTH], []).append(key_path)
    return in_steps


def _action(step: dict[str, Any], actions: Actions) -> type[Model] | None:
    """The action of a step, if it exists."""
    name = step.get("action")
    return actions.get(name) if isinstance(name, str) else None


def _replace_old_keys(source: SourceFile, known: Actions) -> None:
    """In the whole file, and for each step in its action's `params` and `ask`."""
    deprecations.replace(source, Playbook)
    for key_path, step in iter_steps(source.value):
        action = _action(step, known)
        if action is not None and "params" in step:
            deprecations.replace(source, action, (*key_path, "params"))
        if action is not None and isinstance(step.get("ask"), list):
            deprecations.replace_words(source, action, (*key_path, "ask"))


def _check_severities(source: SourceFile) -> None:
    """Check that every severity has its level."""
    levels = source.value.get("severities") if isinstance(source.value, dict) else None
    if not isinstance(levels, dict):
        return
    for severity in Severity:
        if severity not in {validation.closest_match(key, Severity) or key for key in levels}:
            source.report(source.key_position(("severities",)), f'"severities" has no {severity}')


def _convert_responses(source: SourceFile) -> None:
    """Convert the response times."""
    levels = source.value.get("severities") if isinstance(source.value, dict) else None
    for key, level in levels.items() if isinstance(levels, dict) else ():
        if isinstance(level, dict) and "response" in level:
            key_path = ("severities", key, "response")
            level["response"] = _duration(source, key_path, level["response"])


def _convert_follow_ups(source: SourceFile) -> None:
    """Convert a line alone to an item with that title, and convert the due times."""
    value = source.value.get("post_incident") if isinstance(source.value, dict) else None
    lines: list[Any] = value if isinstance(value, list) else []
    for index, line in enumerate(lines):
        if isinstance(line, str):
            lines[index] = {"title": line}
        elif isinstance(line, dict) and "due" in line:
            line["due"] = _duration(source, ("post_incident", index, "due"), line["due"])


def _duration(source: SourceFile, key_path: KeyPath, value: Any) -> str:
    """Convert a duration such as `15 min` to ISO 8601, which is what strict JSON takes.

    A mistake is reported, and gives a second, so that validation does not report it again.
    """
    try:
        span = durations.parse(value)
    except ValueError:
        span = None
    if isinstance(span, timedelta) and span:
        return f"PT{int(span.total_seconds())}S"
    text = f'"{key_path[-1]}" {durations.EXPECTED}, found {validation.quoted(value)}'
    source.report(source.position(key_path), text)
    return "PT1S"


def _check_messages(source: SourceFile) -> None:
    """Check the templates of messages now, so that none fails during an incident."""
    for key in MESSAGES:
        template = source.value.get(key) if isinstance(source.value, dict) else None
        if isinstance(template, str):
            for mistake in _template_mistakes(template):
                source.report(source.position((key,)), f'"{key}" {mistake}')


def _template_mistakes(template: str) -> Iterator[str]:
    """What Jinja2 cannot parse, or else the unknown variables."""
    try:
        names = _variables(template)
    except TemplateSyntaxError as error:
        reason = str(error.message).rstrip(".")
        yield f"is not a Jinja2 template: {reason}, in its line {error.lineno}"
        return
    for name in sorted(names - set(MESSAGE_VARIABLES)):
        yield f'has the unknown variable "{name}"{validation.suggestion(name, MESSAGE_VARIABLES)}'


def _variables(template: str) -> set[str]:
    """The variables of a template; raises TemplateSyntaxError, for an unknown filter too."""
    environment = SandboxedEnvironment()
    parsed = environment.parse(template)
    environment.compile(parsed)
    for item in parsed.find_all(nodes.Getitem):
        if isinstance(item.node, nodes.Name) and item.node.name == "service":
            raise TemplateSyntaxError("write service.NAME for a value", item.lineno)
    return meta.find_undeclared_variables(parsed)


def _check_ids(source: SourceFile) -> None:
    """Check that ids are unique within their list, and that no scenario has too many steps."""
    _check_unique(source, ("scenarios",), source.value)
    for index, scenario in _mappings(source.value, "scenarios"):
        key_path: KeyPath = ("scenarios", index, "steps")
        _check_unique(source, key_path, scenario)
        if len(list(_mappings(scenario, "steps"))) > MAX_STEPS:
            source.report(
                source.key_position(key_path), f'"steps" expects at most {MAX_STEPS} in the list'
            )


def _check_unique(source: SourceFile, key_path: KeyPath, value: Any) -> None:
    """Check that no two mappings of `value`, the list at `key_path`, have the same id."""
    first_lines: dict[str, int] = {}
    for index, item in _mappings(value, str(key_path[-1])):
        line, column = source.position((*key_path, index, "id"))
        item_id = str(item.get("id"))
        if item_id in first_lines:
            text = f'duplicate id "{item_id}", first on line {first_lines[item_id]}'
            source.report((line, column), text)
        elif "id" in item:
            first_lines[item_id] = line


def _check_clashes(results: Sequence[tuple[SourceFile, tuple[Playbook, ...]]]) -> None:
    """Check that files about one service have no scenario with the same id."""
    first_files: dict[tuple[str, str], str] = {}
    for source, playbooks in results:
        clashes: dict[tuple[int, str, str], list[str]] = {}
        for playbook in playbooks:
            for index, scenario in enumerate(playbook.scenarios):
                first_file = first_files.setdefault((playbook.service, scenario.id), source.path)
                if first_file != source.path:
                    clash = clashes.setdefault((index, scenario.id, first_file), [])
                    clash.append(playbook.service)
        for (index, scenario_id, first_file), service_ids in clashes.items():
            names = serving.listed(service_ids)
            text = f'duplicate id "{scenario_id}" of {names}, first in {first_file}'
            source.report(source.position(("scenarios", index, "id")), text)


def _mappings(value: Any, key: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """The mappings in the list at a key, with their indexes; none where the file has no list."""
    items = value.get(key) if isinstance(value, dict) else None
    for index, item in enumerate(items if isinstance(items, list) else []):
        if isinstance(item, dict):
            yield index, item


def iter_steps(value: Any) -> Iterator[tuple[KeyPath, dict[str, Any]]]:
    """The steps of all scenarios, each with its path in the file, as far as they are mappings."""
    for scenario_index, scenario in _mappings(value, "scenarios"):
        for step_index, step in _mappings(scenario, "steps"):
            yield ("scenarios", scenario_index, "steps", step_index), step


def _check_step(
    source: SourceFile, key_path: KeyPath, step: dict[str, Any], actions: Actions
) -> None:
    """Check what no value of a service changes: the action, and the params that people fill in."""
    name, params, ask = step.get("action"), step.get("params", {}), step.get("ask", [])
    if not isinstance(name, str) or not isinstance(params, dict) or not isinstance(ask, list):
        return
    if name not in actions:
        source.report(
            source.position((*key_path, "action")),
            f'unknown action "{name}"{validation.suggestion(name, actions)}',
        )
        return
    action, prefix = actions[name], f'action "{name}": '
    settable, playbook_only = (
        validation.settable_fields(action),
        getattr(action, "playbook_only", ()),
    )
    for index, param in enumerate(ask):
        if mistake := _ask_mistake(param, settable, playbook_only):
            source.report(source.position((*key_path, "ask", index)), prefix + mistake)
    for internal in (params.keys() & action.model_fields.keys()) - settable.keys():
        text = f'{prefix}unknown param "{internal}"; expects one of: {", ".join(settable)}'
        source.report(source.key_position((*key_path, "params", internal)), text)
    if "sql" in action.model_fields:
        _insert_statement(source, (*key_path, "params"), params, prefix)


def _check_params(
    source: SourceFile,
    key_path: KeyPath,
    step: dict[str, Any],
    action: type[Model],
    texts: Sequence[KeyPath],
) -> None:
    """Check the params that a step sets, as they are for one service."""
    params, ask = step.get("params", {}), step.get("ask", [])
    if isinstance(params, dict) and isinstance(ask, list):
        base = (*key_path, "params")
        _write_numbers_as_text(source, action, base, texts)
        prefix = f'action "{step["action"]}": '
        validation.validate(source, action, params, base, prefix, ask)


def _write_numbers_as_text(
    source: SourceFile, action: type[Model], base: KeyPath, texts: Sequence[KeyPath]
) -> None:
    """Make text of the numbers among the values of a service, where the action expects text."""
    numbers = [path for path in texts if type(source.value_at(path)) in (int, float)]
    if not numbers:
        return
    try:
        action.model_validate_json(json.dumps(source.value_at(base)), strict=True)
    except ValidationError as error:
        for detail in error.errors(include_url=False, include_context=False):
            key_path = (*base, *detail["loc"])
            if detail["type"] == "string_type" and key_path in numbers:
                source.value_at(key_path[:-1])[key_path[-1]] = str(detail["input"])


def _check_place(
    source: SourceFile, key_path: KeyPath, step: dict[str, Any], action: type[Model], owner: Owner
) -> None:
    """Check that the action acts in such a place, and that the service has one of that name."""
    for key in PLACE_KEYS:
        name, known = step.get(key), getattr(owner.configured, f"{key}s")
        if not isinstance(name, str) or not name:
            continue
        if key not in getattr(action, "place_keys", ()):
            text = f'action "{step["action"]}" is done in no {key}; remove "{key}"'
            source.report(source.key_position((*key_path, key)), text)
        elif known is not None and name not in known:
            ending = validation.suggestion(name, sorted(known)) or "; its configuration lists none"
            text = f'unknown {key} "{name}" of {NAMES}{ending}'
            source.report(source.position((*key_path, key)), text)


def _ask_mistake(param: Any, settable: Collection[str], fixed: Collection[str]) -> str | None:
    """Why people may not fill in a param of its action, or None.

    `fixed` are the params that only a playbook may set.
    """
    if not isinstance(param, str):
        return None  # reported when the step is validated
    if param not in settable:
        return f'unknown param "{param}"{validation.suggestion(param, settable)}'
    if param in fixed:
        return f'"{param}" can only be set in the playbook, not asked for'
    return None


def _insert_statement(
    source: SourceFile, key_path: KeyPath, params: dict[str, Any], prefix: str
) -> None:
    """Add the text of the file that a query names, so that an open incident keeps its statement.

    It must only read.
    """
    name = params.get("file", "")
    if not sql_files.is_valid_name(name):
        return
    params["sql"] = ""
    try:
        params["sql"] = sql_files.read(name, Path(source.path))
        _check_statement(source, name, params["sql"])
    except ValueError as error:
        source.report(
            source.position((*key_path, "file")),
            f'{prefix}"file" {error}, found {validation.quoted(name)}',
        )


def _check_statement(source: SourceFile, name: str, text: str) -> None:
    """Check that the text of an SQL file only reads; its mistakes are in that file."""
    file = str(sql_files.find(name, Path(source.path)))
    source.diagnostics += [
        Diagnostic(file, *position, message)
        for position, message in statements.read_only_violations(text)
    ]


def _check_row_source(source: SourceFile, key_path: KeyPath, step: dict[str, Any]) -> None:
    """Check that a step, whose form offers the rows of another step, names a query step."""
    params = step.get("params")
    choice = params.get("choose_from") if isinstance(params, dict) else None
    source_id = choice.get("step") if isinstance(choice, dict) else None
    scenario = source.value["scenarios"][key_path[1]]
    query_ids = [
        str(other.get("id"))
        for _, other in _mappings(scenario, "steps")
        if other.get("action") == "query"
    ]
    if isinstance(source_id, str) and source_id not in query_ids:
        text = f'"step" expects a query step of this scenario, found "{source_id}"'
        position = source.position((*key_path, "params", "choose_from", "step"))
        source.report(position, text + validation.suggestion(source_id, query_ids))
