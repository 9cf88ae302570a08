-- One order by anybody.
INSERT INTO orders
SELECT
    gen_random_uuid(), id, md5('event1')::uuid, 'Night Trains - Autumn Tour', 'PENDING',
    (ARRAY[3900, 4500, 4900, 6900, 9800, 14900])[1 + floor(6 * random())::integer], 'USD', email,
    'pi_3' || left(replace(gen_random_uuid()::text, '-', ''), 24), now(), now()
FROM (SELECT id, email FROM users WHERE NOT starts_with(email, 'quick.') ORDER BY random() LIMIT 1)
    AS buyer;

-- One order by each of the users whose disputes came in at once.
INSERT INTO orders
SELECT
    gen_random_uuid(), id, md5('event7')::uuid, 'Winter Gala', 'PENDING', 59600, 'USD', email,
    'pi_3' || left(replace(gen_random_uuid()::text, '-', ''), 24), now(), now()
FROM users WHERE starts_with(email, 'quick.');

-- Stripe tells that what was ordered a moment ago is paid.
INSERT INTO webhook_events
SELECT
    gen_random_uuid(), 'evt_' || substr(stripe_payment_intent_id, 4), 'payment_intent.succeeded',
    jsonb_build_object(
        'id', 'evt_' || substr(stripe_payment_intent_id, 4), 'object', 'event',
        'type', 'payment_intent.succeeded', 'livemode', true,
        'created', floor(extract(epoch FROM created_at)),
        'data', jsonb_build_object('object', jsonb_build_object(
            'id', stripe_payment_intent_id, 'amount', total_cents, 'currency', lower(currency),
            'receipt_email', customer_email, 'metadata', jsonb_build_object('order_id', id)
        ))
    ),
    1, 'timeout of 5000ms exceeded: POST http://payment-service:3006/intents/confirm', now(), NULL
FROM orders
WHERE status = 'PENDING' AND stripe_payment_intent_id IS NOT NULL
AND created_at BETWEEN now() - interval '10 minutes' AND now() - interval '2 seconds'
ON CONFLICT (stripe_event_id) DO NOTHING;

-- Order-service confirms what it was just told. Older events wait until Stripe sends them again.
WITH told AS (
    UPDATE webhook_events SET processed_at = now(), error = NULL
    WHERE processed_at IS NULL AND created_at > now() - interval '30 seconds'
    RETURNING payload #>> '{data,object,metadata,order_id}' AS order_id
)
UPDATE orders SET status = 'CONFIRMED', updated_at = now()
WHERE id IN (
    SELECT id FROM orders
    WHERE id IN (SELECT order_id::uuid FROM told) AND status = 'PENDING'
    FOR UPDATE SKIP LOCKED
);

-- What Stripe could not deliver.
SELECT stripe_event_id, type, extract(epoch FROM now() - created_at)::float
FROM webhook_events WHERE processed_at IS NULL;

-- Order-service gives up orders whose payment was declined.
UPDATE orders SET status = 'CANCELLED', updated_at = now()
WHERE status = 'PENDING' AND created_at > now() - interval '10 minutes';
