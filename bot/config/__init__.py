"""What teams decide (RUNBOLT_CONFIG): services, people, channels, cadence and policy."""

from bot.config.checks import Surroundings
from bot.config.clocks import SHORTEST_CADENCE, Cadence, WorkingHours, default_cadences
from bot.config.freezes import Freeze
from bot.config.loader import load
from bot.config.night import SignIn
from bot.config.people import Channels, DutySelector, MemberSelector, OnCallSource, Right
from bot.config.policy import (
    CHANGING,
    ApprovalCounts,
    BreakGlass,
    Budget,
    GuestRights,
    IncidentBudget,
    Masking,
    Policy,
    Rule,
    Terms,
)
from bot.config.service import Config, DatabaseSource, ServiceConfig

__all__ = [
    "CHANGING",
    "SHORTEST_CADENCE",
    "ApprovalCounts",
    "BreakGlass",
    "Budget",
    "Cadence",
    "Channels",
    "Config",
    "DatabaseSource",
    "DutySelector",
    "Freeze",
    "GuestRights",
    "IncidentBudget",
    "Masking",
    "MemberSelector",
    "OnCallSource",
    "Policy",
    "Right",
    "Rule",
    "ServiceConfig",
    "SignIn",
    "Surroundings",
    "Terms",
    "WorkingHours",
    "default_cadences",
    "load",
]
