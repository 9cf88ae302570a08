"""The playbook's scenarios in the sandbox: each can be started and ended."""

from sandbox.scenarios.scenario import ShopSystems
from sandbox.scenarios.scenarios import Scenarios

__all__ = ["Scenarios", "ShopSystems"]
