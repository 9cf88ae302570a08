"""What a parameter may be set to at this moment, for a form to offer."""

from bot.model import Noun


class Choice(Noun):
    """One value of a parameter, and its words."""

    value: str
    text: str


class Choices(Noun):
    """At least one value to choose; `default` is chosen already, and `hint` is said below."""

    options: tuple[Choice, ...]
    default: str | None = None
    hint: str = ""
