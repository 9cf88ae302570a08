"""The values that a form offers for a parameter, as they are at this moment."""

from bot.model import Model


class Option(Model):
    """One value of a parameter, and the label that people see."""

    value: str
    text: str


class Options(Model):
    """The values to choose from; `default` is preselected, and `hint` stands below the field.

    Without options people type the value, and the hint shows the present one and the bounds of a
    new one; `least` and `most` are these for a whole number.
    """

    options: tuple[Option, ...] = ()
    default: str | None = None
    hint: str = ""
    least: int | None = None
    most: int | None = None
