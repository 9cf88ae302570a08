"""What a team decides about the night: who is alone on call, and a second step outside Slack."""

from ipaddress import ip_address
from typing import Annotated, Literal

from pydantic import Field, IPvAnyNetwork

from bot.model import AloneChoice, Model, Risk, SecondStep

Choice = Literal["wait", "next_level", "break_glass"]


class WhenAlone(Model):
    """What happens when nobody on call but who asks can approve, by the risk of the change.

    It waits, the next level of the escalation policy is asked, or the glass may be broken at once.
    """

    change: Choice = "wait"
    destructive: Choice = "wait"

    def of(self, risk: Risk) -> AloneChoice:
        """The choice for one risk."""
        return AloneChoice(getattr(self, risk.value))


class SecondSteps(Model):
    """Whether an approval counts only once it is confirmed outside Slack, by the risk."""

    change: Literal["none", "link"] = "none"
    destructive: Literal["none", "link"] = "none"

    def of(self, risk: Risk) -> SecondStep | None:
        """The step for one risk; None for none."""
        step = getattr(self, risk.value, "none")
        return None if step == "none" else SecondStep(step)


class SignIn(Model):
    """The firm's own sign-in, in front of the bot's page for approvals.

    People reach the page at `url`. Requests are taken from these `proxies` alone, with the `secret`
    (the name of a variable, or the path of a file) in X-Runbolt-Secret, and the e-mail address of
    who signed in under `email_header`.
    """

    url: Annotated[
        str,
        Field(pattern=r"^(https://[^\s/?#]+|http://(127\.0\.0\.1|localhost)(:\d+)?)(/[^\s?#]*)?$"),
    ]
    proxies: Annotated[tuple[IPvAnyNetwork, ...], Field(min_length=1)]
    secret: Annotated[str, Field(min_length=1)]
    email_header: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,64}$")] = "X-Forwarded-Email"

    def trusts(self, address: str) -> bool:
        """Whether an address is one of the proxies'."""
        try:
            peer = ip_address(address)
        except ValueError:
            return False
        return any(peer in network for network in self.proxies)
