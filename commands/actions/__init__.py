"""What a step can do: every action by name, and nothing clever."""

from bot.actions import Action, Manual
from commands.actions.connections import DatabaseConnections
from commands.actions.dependencies import CheckDependencies
from commands.actions.logs import TailLogs
from commands.actions.pods import ListPods
from commands.actions.restarts import DeletePods, RollingRestart
from commands.actions.rollback import RollBack
from commands.actions.scale import ScaleDeployment

ACTIONS: tuple[type[Action], ...] = (
    Manual,
    ListPods,
    TailLogs,
    CheckDependencies,
    DatabaseConnections,
    RollBack,
    RollingRestart,
    DeletePods,
    ScaleDeployment,
)
