"""What a team decides about the night: when who asks is the only one on call."""

from typing import Literal

from bot.model import AloneChoice, Model, Risk

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
