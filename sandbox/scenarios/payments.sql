-- Paid at Stripe over the last two hours, and never confirmed. The same draw at each start.
SELECT setseed(0.31);

INSERT INTO orders
SELECT
    gen_random_uuid(), buyer.id, md5('event' || (1 + n % 3))::uuid,
    (ARRAY['Night Trains - Autumn Tour', 'City Derby', 'La Bohème'])[1 + n % 3], 'PENDING',
    (ARRAY[3900, 4900, 9800, 14900])[1 + n % 4], CASE WHEN n % 9 = 0 THEN 'EUR' ELSE 'USD' END,
    buyer.email, 'pi_3' || left(replace(gen_random_uuid()::text, '-', ''), 24), at, at
FROM generate_series(1, 34) AS n
CROSS JOIN LATERAL (
    SELECT id, email, now() - (32 + 90 * random() + 0 * n) * interval '1 minute' AS at
    FROM users WHERE id = md5('user' || (40 + 7 * n))::uuid
) AS buyer;

-- Stripe has tried each of them again within the last hour; refunds wait behind them.
INSERT INTO webhook_events
SELECT
    gen_random_uuid(), 'evt_' || substr(stripe_payment_intent_id, 4), kind,
    jsonb_build_object(
        'id', 'evt_' || substr(stripe_payment_intent_id, 4), 'object', 'event', 'type', kind,
        'created', floor(extract(epoch FROM created_at)), 'livemode', true,
        'data', jsonb_build_object('object', jsonb_build_object(
            'id', stripe_payment_intent_id, 'amount', total_cents, 'currency', lower(currency),
            'receipt_email', customer_email, 'metadata', jsonb_build_object('order_id', id)
        ))
    ),
    2 + floor(4 * random())::integer,
    (ARRAY[
        'timeout of 5000ms exceeded: POST http://payment-service:3006/intents/confirm',
        'Request failed with status code 503: POST http://payment-service:3006/intents/confirm'
    ])[1 + floor(2 * random())::integer],
    now() - (3 + 50 * random()) * interval '1 minute', NULL
FROM (
    SELECT *, 'payment_intent.succeeded' AS kind FROM orders
    WHERE status = 'PENDING' AND created_at < now() - interval '30 minutes'
) AS stuck
ON CONFLICT (stripe_event_id) DO NOTHING;

UPDATE refunds SET status = 'PENDING', processed_at = NULL
WHERE id IN (SELECT id FROM refunds WHERE status = 'SUCCEEDED' ORDER BY created_at DESC LIMIT 12);
