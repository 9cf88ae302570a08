"""What can break in the sandbox: each scenario of the playbook made true, and all well again."""

from sandbox.scenarios.scenarios import Scenarios
from sandbox.scenarios.scene import Scene

__all__ = ["Scenarios", "Scene"]
