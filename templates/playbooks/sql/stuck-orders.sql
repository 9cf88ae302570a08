-- Orders that should have been confirmed or cancelled long ago.
SELECT id, status, created_at, stripe_payment_intent_id
FROM orders
WHERE status = 'PENDING'
AND created_at < NOW() - INTERVAL '30 minutes'
ORDER BY created_at
