-- Sent once more, and failed once more.
UPDATE webhook_events SET attempts = attempts + 1 WHERE processed_at IS NULL;
