"""The commands for people who write playbooks; the bot itself imports none of it."""
