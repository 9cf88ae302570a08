-- Orders that should have been confirmed or cancelled long ago: how old, how much, whose.
SELECT
    NOW() - created_at AS age,
    total_cents,
    currency,
    user_id,
    status,
    created_at,
    id,
    stripe_payment_intent_id
FROM orders
WHERE status = 'PENDING'
AND created_at < NOW() - INTERVAL '30 minutes'
ORDER BY created_at
