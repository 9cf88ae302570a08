"""Publishing: make Slack show what is true in Postgres."""
