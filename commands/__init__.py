"""What people say and press, and what a playbook step can do."""
