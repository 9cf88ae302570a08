"""People and channels, as the configuration names them."""

from bot.model import Model


class MemberSelector(Model):
    """A selection of people: by Slack user id, and by the handle or id of a user group."""

    users: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether it selects nobody."""
        return not (self.users or self.groups)


class Channels(Model):
    """The channels, by name or id, for announcing incidents and for informing customers."""

    incidents: str = "incidents"
    customers: str = ""


class OnCallSource(Model):
    """The PagerDuty ids that select who is on call; without either, everybody on call counts."""

    schedule: str = ""
    escalation_policy: str = ""
