"""Write the values of a service into the texts of a playbook: `{{ service.deployment }}`.

The file is parsed before. So a value becomes text or a number in one place: never a key, an item of
a list, or another expression.
"""

import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError, Undefined
from jinja2.environment import TemplateExpression
from jinja2.exceptions import SecurityError
from jinja2.sandbox import SandboxedEnvironment

from bot.playbooks import validation
from bot.playbooks.service_values import Value
from bot.playbooks.yaml_source import KeyPath

# The templates that are filled in during an incident: only `service.…` is written into them now.
MESSAGES = ("internal_alert", "customer_message", "all_clear")

# What names a part of the file, an action or a file with a statement is no text to write values in.
STRUCTURE = frozenset({"service", "services", "id", "phase", "severity", "action", "ask"})
STRUCTURE_OF_PARAMS = (("file",), ("sql",), ("choose_from", "step"))

# The filters of an expression: none can make a text long, or reach anything else.
FILTERS = ("default", "float", "int", "lower", "string", "title", "upper", "urlencode")

EXPRESSION = re.compile(r"""\{\{((?:[^{}"']|"[^"]*"|'[^']*')*)\}\}""")
# Other programs have templates too: `{{ .service.name }}` and `{{ $service.name }}` are Go's.
MENTION = re.compile(r"(?<![\w.$])service\s*[.\[]|^\s*service\s*$")
PLAIN = re.compile(r"\s*service\.(\w+)\s*")
UNFINISHED = re.compile(r"\{[{%][^}]*(?<![\w.$])service\s*\.")
FIRST_WORD = re.compile(r"^\s*([A-Za-z]\w*)\s*\.\s*[A-Za-z]")

# What an expression may raise; and its parser, where it is nested too deeply.
ERRORS = (TemplateError, ArithmeticError, LookupError, TypeError, ValueError, RecursionError)

# Stands in a message for the names of the services that it is about. No file contains it.
NAMES = "\0"


class Service(NamedTuple):
    """What `service` is in an expression: its id, title and values, unless more may be there."""

    title: str
    known: Mapping[str, Value]
    is_complete: bool = True

    def __str__(self) -> str:
        return self.title


class NotKnown(Exception):
    """Nobody knows what is configured, so the service may have a value of this name."""


def unknown_value(service: Service, name: str) -> str:
    """The mistake for a value that a service does not have; raises NotKnown where it may have."""
    if not service.is_complete:
        raise NotKnown(name)
    ending = validation.suggestion(name, service.known)
    return f"service.{name} is not a value of {NAMES}{ending}"


class _Sandbox(SandboxedEnvironment):
    """Evaluates expressions of values: nothing is called, and nothing grows."""

    intercepted_binops = frozenset({"*", "**", "%"})

    def __init__(self) -> None:
        super().__init__(undefined=StrictUndefined)
        self.globals.clear()
        self.filters = {name: self.filters[name] for name in FILTERS}

    def getattr(self, obj: Any, attribute: str) -> Any:
        """A value of the service; nothing else has attributes, so there is nothing to call."""
        if not isinstance(obj, Service):
            return self.unsafe_undefined(obj, attribute)
        if attribute in obj.known:
            return obj.known[attribute]
        return self.undefined(unknown_value(obj, attribute))

    def getitem(self, obj: Any, argument: Any) -> Any:
        """The same, for `service["deployment"]`."""
        return self.getattr(obj, str(argument))

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Refuse what makes a long text of a short one."""
        raise SecurityError(f"{operator} cannot be used here")


_SANDBOX = _Sandbox()
# Reads the templates of messages without changing them.
_LEXER = SandboxedEnvironment(keep_trailing_newline=True)


def mentions(text: str) -> bool:
    """Whether a text has an expression of values."""
    return "service" in text and any(MENTION.search(part) for part in EXPRESSION.findall(text))


def syntax_mistake(text: str) -> str | None:
    """What looks like an expression of values and is none, in a text that is no message."""
    if "{" not in text:
        return None
    if UNFINISHED.search(EXPRESSION.sub("", text)):
        return "expects values as {{ service.NAME }}, and no other template"
    for expression in EXPRESSION.findall(text):
        word = FIRST_WORD.match(expression)
        if word and word[1] != "service" and validation.closest_match(word[1], ["service"]):
            return f'unknown name "{word[1]}"; did you mean "service"?'
    return None


def render(text: str, service: Service) -> Any:
    """A text with its values; one that is one expression becomes what that is, such as a number.

    Raises one of ERRORS, or NotKnown.
    """
    whole = EXPRESSION.fullmatch(text.strip())
    if whole:
        return _evaluate(whole[1], service)

    def written(found: re.Match[str]) -> str:
        return str(_evaluate(found[1], service)) if MENTION.search(found[1]) else found[0]

    return EXPRESSION.sub(written, text)


def _evaluate(expression: str, service: Service) -> Any:
    plain = PLAIN.fullmatch(expression)
    if plain and plain[1] in service.known:
        return service.known[plain[1]]  # by far the most common, and Jinja2 takes ten times longer
    result = _compiled(expression)(service=service)
    if isinstance(result, Service | Undefined):
        return str(result)  # raises the error of what is undefined
    if not isinstance(result, str | int | float):
        raise ValueError("expects an expression that gives text or a number")
    return result


@lru_cache(maxsize=4096)
def _compiled(expression: str) -> TemplateExpression:
    return _SANDBOX.compile_expression(expression, undefined_to_none=False)


def render_message(template: str, service: Service) -> str:
    """A template with the values as constants, and all its other variables as they are.

    Raises ValueError or NotKnown where there is no such value.
    """
    parts = _message_parts(template)
    return "".join(_constant(service, part[1]) if part[1] else part[0] for part in parts)


def message_mentions(template: str) -> bool:
    """Whether a template has values to write in; one that cannot be parsed has none."""
    try:
        return "service" in template and any(name for _, name in _message_parts(template))
    except TemplateSyntaxError:
        return False


def _constant(service: Service, name: str) -> str:
    """A value as a constant of Jinja2, so that nothing in it is a template."""
    if name not in service.known:
        raise ValueError(unknown_value(service, name))
    # Its escapes are those of Jinja2 too, which reads a letter beyond ASCII only as itself.
    return f"({json.dumps(service.known[name], ensure_ascii=False)})"


@lru_cache(maxsize=256)
def _message_parts(template: str) -> tuple[tuple[str, str], ...]:
    """The text of a template in parts, each with the name of the value that it stands for, if any.

    Raises TemplateSyntaxError.
    """
    tokens = [(kind, text) for _, kind, text in _LEXER.lex(template)]
    words = [index for index, (kind, _) in enumerate(tokens) if kind != "whitespace"]
    names: dict[int, str] = {}
    for before, first, dot, last in zip(words, words[1:], words[2:], words[3:], strict=False):
        texts = [tokens[index][1] for index in (first, dot)]
        if texts == ["service", "."] and tokens[before][1] != "." and tokens[last][0] == "name":
            names[first] = tokens[last][1]
            for index in range(first, last + 1):
                tokens[index] = (tokens[index][0], "")
    return tuple((text, names.get(index, "")) for index, (_, text) in enumerate(tokens))


def find(value: Any, key_path: KeyPath = ()) -> Iterator[tuple[KeyPath, str]]:
    """The texts of a file that values may be written in, with their places; no messages."""
    match value:
        case dict():
            for key, item in value.items():
                yield from find(item, (*key_path, key))
        case list():
            for index, item in enumerate(value):
                yield from find(item, (*key_path, index))
        case str() if not is_structure(key_path) and key_path[:1] not in _MESSAGE_PATHS:
            yield key_path, value


_MESSAGE_PATHS = tuple((name,) for name in MESSAGES)


def is_structure(key_path: KeyPath) -> bool:
    """Whether a text names a part of the file, an action or a file with a statement."""
    if "params" in key_path:
        return key_path[key_path.index("params") + 1 :] in STRUCTURE_OF_PARAMS
    return any(part in STRUCTURE for part in key_path)


def replace(value: Any, texts: Mapping[KeyPath, Any], key_path: KeyPath = ()) -> Any:
    """A copy of a value with other texts at these places; all else is equal."""
    match value:
        case dict():
            return {key: replace(item, texts, (*key_path, key)) for key, item in value.items()}
        case list():
            return [replace(item, texts, (*key_path, index)) for index, item in enumerate(value)]
        case str():
            return texts.get(key_path, value)
    return value


def explain(error: Exception, key: str) -> str:
    """What is wrong with an expression in the text at a key."""
    message = str(error).rstrip(".")
    if NAMES in message:
        return message
    if isinstance(error, RecursionError):
        return f'"{key}" has an expression that is nested too deeply'
    return f'"{key}" has an expression that cannot be used: {message}'
