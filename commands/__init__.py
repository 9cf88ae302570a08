"""What people type and press in Slack: from an interaction to a flow, and back."""
