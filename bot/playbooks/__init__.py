"""Playbooks: found on disk, read and validated."""
