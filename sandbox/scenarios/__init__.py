"""What can break in the sandbox: each scenario of the playbook made true, and all well again."""

from sandbox.scenarios.scenario import ShopSystems
from sandbox.scenarios.scenarios import Scenarios

__all__ = ["Scenarios", "ShopSystems"]
