"""What teams decide (RUNBOLT_CONFIG): services, people, channels, cadence and policy."""

from bot.config.checks import Surroundings
from bot.config.clocks import SHORTEST_CADENCE, Cadence, WorkingHours, default_cadences
from bot.config.loader import load
from bot.config.night import SignIn
from bot.config.people import Channels, DutySelector, MemberSelector, OnCallSource, Right
from bot.config.policy import ApprovalCounts, Budget, GuestRights, Masking, Policy
from bot.config.service import Config, DatabaseSource, ServiceConfig

__all__ = [
    "SHORTEST_CADENCE",
    "ApprovalCounts",
    "Budget",
    "Cadence",
    "Channels",
    "Config",
    "DatabaseSource",
    "DutySelector",
    "GuestRights",
    "Masking",
    "MemberSelector",
    "OnCallSource",
    "Policy",
    "Right",
    "ServiceConfig",
    "SignIn",
    "Surroundings",
    "WorkingHours",
    "default_cadences",
    "load",
]
