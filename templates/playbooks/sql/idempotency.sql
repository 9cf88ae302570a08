-- Webhook events of the last hour that came and were never processed.
SELECT * FROM webhook_events
WHERE processed_at IS NULL
AND created_at > NOW() - INTERVAL '1 hour'
ORDER BY created_at
