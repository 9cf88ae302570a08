"""Every action that a playbook can name."""

from bot.actions.base import Action, Manual
from bot.actions.customers import PostCustomerMessage, WithdrawCustomerMessage
from bot.actions.database.connections import DatabaseConnections
from bot.actions.database.queries import RunQuery
from bot.actions.database.sessions import EndQueries
from bot.actions.http import HttpCheck
from bot.actions.kubernetes.dependencies import CheckDependencies
from bot.actions.kubernetes.environment import SetEnvironment
from bot.actions.kubernetes.events import ListEvents
from bot.actions.kubernetes.history import RolloutHistory
from bot.actions.kubernetes.logs import TailLogs
from bot.actions.kubernetes.memory import MemoryLimit
from bot.actions.kubernetes.pods import ListPods
from bot.actions.kubernetes.restarts import DeletePods, RollingRestart
from bot.actions.kubernetes.rollback import RollBack
from bot.actions.kubernetes.scale import ScaleDeployment
from bot.actions.kubernetes.usage import PodUsage
from bot.actions.stripe import StripeEvents

ACTIONS: tuple[type[Action], ...] = (
    Manual,
    ListPods,
    PodUsage,
    TailLogs,
    ListEvents,
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
