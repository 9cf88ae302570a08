"""What a step can do: every action by name, and nothing clever."""

from bot.actions import Action, Manual
from commands.actions.connections import DatabaseConnections
from commands.actions.customers import PostCustomerMessage, WithdrawCustomerMessage
from commands.actions.dependencies import CheckDependencies
from commands.actions.environment import SetEnvironment
from commands.actions.history import RolloutHistory
from commands.actions.http import HttpCheck
from commands.actions.logs import TailLogs
from commands.actions.memory import MemoryLimit
from commands.actions.pods import ListPods
from commands.actions.queries import RunQuery
from commands.actions.restarts import DeletePods, RollingRestart
from commands.actions.rollback import RollBack
from commands.actions.scale import ScaleDeployment
from commands.actions.sessions import EndQueries
from commands.actions.stripe import StripeEvents
from commands.actions.usage import PodUsage

ACTIONS: tuple[type[Action], ...] = (
    Manual,
    ListPods,
    PodUsage,
    TailLogs,
    RolloutHistory,
    CheckDependencies,
    HttpCheck,
    StripeEvents,
    DatabaseConnections,
    RunQuery,
    RollBack,
    RollingRestart,
    DeletePods,
    ScaleDeployment,
    MemoryLimit,
    EndQueries,
    SetEnvironment,
    PostCustomerMessage,
    WithdrawCustomerMessage,
)
