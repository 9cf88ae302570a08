"""Actions: what the steps of a playbook can do."""
