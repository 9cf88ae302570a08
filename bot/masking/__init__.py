"""Finds secrets and personal data in text, by rules; `bot/redaction.py` is the way in."""
