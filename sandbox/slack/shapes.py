"""Checks that are combined into the schema of a block; each reports its errors."""

import re
from collections.abc import Callable, Mapping
from typing import Any


class Location:
    """A path inside the checked value, and the list of all problems."""

    def __init__(self, problems: list[str], surface: str, path: str = "") -> None:
        self.problems = problems
        self.surface = surface
        self.path = path

    def at(self, part: str | int) -> "Location":
        """The location of a part."""
        return Location(self.problems, self.surface, f"{self.path}/{part}")

    def fail(self, message: str) -> None:
        """Report a problem at this location."""
        self.problems.append(f"{message} [json-pointer:{self.path}]")


Check = Callable[[Any, Location], None]


def string(most: int, least: int = 1, pattern: str | None = None) -> Check:
    """A text of bounded length."""

    def check(value: Any, where: Location) -> None:
        if not isinstance(value, str):
            where.fail("must be a string")
        elif len(value) > most:
            where.fail(f"must be no more than {most} characters")
        elif len(value) < least:
            where.fail(f"must be more than {least - 1} characters")
        elif pattern and not re.fullmatch(pattern, value):
            where.fail("has an invalid format")

    return check


def flag(value: Any, where: Location) -> None:
    """True or false."""
    if not isinstance(value, bool):
        where.fail("must be a boolean")


def integer(least: int, most: int) -> Check:
    """A whole number within bounds."""

    def check(value: Any, where: Location) -> None:
        if not isinstance(value, int) or isinstance(value, bool):
            where.fail("must be an integer")
        elif not least <= value <= most:
            where.fail(f"must be between {least} and {most}")

    return check


def number(value: Any, where: Location) -> None:
    """Any number."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        where.fail("must be a number")


def one_of(*values: str) -> Check:
    """One of the given words."""

    def check(value: Any, where: Location) -> None:
        if value not in values:
            where.fail(f"must be one of: {', '.join(values)}")

    return check


def items(each: Check, most: int, least: int = 1) -> Check:
    """A list of bounded length."""

    def check(value: Any, where: Location) -> None:
        if not isinstance(value, list):
            where.fail("must be an array")
            return
        if len(value) > most:
            where.fail(f"no more than {most} items allowed")
        if len(value) < least:
            where.fail(f"must have at least {least} items")
        for index, item in enumerate(value):
            each(item, where.at(index))

    return check


def shape(
    required: Mapping[str, Check] | None = None, optional: Mapping[str, Check] | None = None
) -> Check:
    """An object with these fields and no other."""
    needed = dict(required or {})
    known = {**needed, **(optional or {})}

    def check(value: Any, where: Location) -> None:
        if not isinstance(value, dict):
            where.fail("must be an object")
            return
        for name in needed.keys() - value.keys():
            where.fail(f"missing required field: {name}")
        for name, part in value.items():
            if name in known:
                known[name](part, where.at(name))
            else:
                where.fail(f"invalid additional property: {name}")

    return check


def typed(kinds: Mapping[str, Check], what: str) -> Check:
    """An object whose `type` says which shape it has."""

    def check(value: Any, where: Location) -> None:
        kind = value.get("type") if isinstance(value, dict) else None
        if not isinstance(kind, str) or kind not in kinds:
            where.fail(f"unsupported type of {what}: {kind}")
        else:
            kinds[kind]({name: part for name, part in value.items() if name != "type"}, where)

    return check


def all_of(*checks: Check) -> Check:
    """Run checks in order and stop at the first that fails."""

    def check(value: Any, where: Location) -> None:
        for part in checks:
            before = len(where.problems)
            part(value, where)
            if len(where.problems) > before:
                return

    return check


def rule(holds: Callable[[Any], bool], message: str) -> Check:
    """Any other condition."""

    def check(value: Any, where: Location) -> None:
        if not holds(value):
            where.fail(message)

    return check
