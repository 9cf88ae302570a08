"""Make Slack show what Postgres holds."""
