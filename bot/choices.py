"""What a parameter may be set to at this moment, for a form to offer."""

from bot.model import Noun


class Choice(Noun):
    """One value of a parameter, and its words."""

    value: str
    text: str


class Choices(Noun):
    """The values to choose; `default` is chosen already, and `hint` is said below.

    Without any the value is typed, and the hint says what is so now.
    """

    options: tuple[Choice, ...] = ()
    default: str | None = None
    hint: str = ""
