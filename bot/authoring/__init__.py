"""What people who write playbooks use at the command line; the bot itself imports none of it."""
