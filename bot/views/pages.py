"""Pages outside Slack: plain HTML, in which everything that people or machines wrote is escaped."""

from datetime import datetime
from importlib.resources import files

from jinja2 import FunctionLoader, StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from bot.model import Execution


def _source(name: str) -> str:
    return (files("templates") / "pages" / f"{name}.html.j2").read_text(encoding="utf-8")


_environment = ImmutableSandboxedEnvironment(
    loader=FunctionLoader(_source),
    undefined=StrictUndefined,
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
)


def approve(
    execution: Execution, *, requested_by: str, person: str, csrf: str, until: datetime
) -> str:
    """The plan, and the button that confirms an approval."""
    return _environment.get_template("approve").render(
        title=f"Approve: {execution.title}?",
        sentence="",
        plan=execution.plan,
        execution=execution,
        requested_by=requested_by,
        person=person,
        csrf=csrf,
        until=f"{until:%Y-%m-%d %H:%M}",
    )


def message(title: str, sentence: str) -> str:
    """What became of it, or why nothing did."""
    template = _environment.get_template("approve")
    return template.render(title=title, sentence=sentence, plan=None)
