"""Playbooks: read, validated, and found on disk."""
