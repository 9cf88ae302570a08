"""A person of the Slack workspace."""

from bot.model.base import Model, UserId


class Person(Model):
    """Who somebody is, as Slack says now."""

    id: UserId
    name: str
    bot: bool = False
    guest: bool = False
    deactivated: bool = False
    external: bool = False
