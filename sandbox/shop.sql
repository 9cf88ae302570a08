-- A ticket shop's orders: the same shop at each start, its times counted back from now.
SELECT setseed(0.20);

CREATE TABLE users (
    id uuid PRIMARY KEY,
    email text NOT NULL UNIQUE,
    full_name text NOT NULL,
    phone text,
    password_hash text NOT NULL,
    created_at timestamptz NOT NULL
);

CREATE TABLE orders (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL,
    event_id uuid NOT NULL,
    event_name text NOT NULL,
    status text NOT NULL
        CHECK (status IN ('PENDING', 'CONFIRMED', 'CANCELLED', 'REFUNDED', 'DISPUTED')),
    total_cents integer NOT NULL CHECK (total_cents >= 0),
    currency character(3) NOT NULL,
    customer_email text NOT NULL,
    stripe_payment_intent_id text,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);

CREATE TABLE order_items (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_id uuid NOT NULL,
    ticket_type text NOT NULL,
    seat text,
    unit_price_cents integer NOT NULL
);

CREATE TABLE webhook_events (
    id uuid PRIMARY KEY,
    stripe_event_id text NOT NULL UNIQUE,
    type text NOT NULL,
    payload jsonb NOT NULL,
    attempts integer NOT NULL,
    error text,
    created_at timestamptz NOT NULL,
    processed_at timestamptz
);

CREATE TABLE refunds (
    id uuid PRIMARY KEY,
    order_id uuid NOT NULL,
    stripe_refund_id text NOT NULL UNIQUE,
    amount_cents integer NOT NULL,
    reason text NOT NULL,
    status text NOT NULL CHECK (status IN ('PENDING', 'SUCCEEDED', 'FAILED')),
    created_at timestamptz NOT NULL,
    processed_at timestamptz
);

CREATE TABLE disputes (
    id uuid PRIMARY KEY,
    order_id uuid NOT NULL,
    stripe_dispute_id text NOT NULL UNIQUE,
    amount_cents integer NOT NULL,
    reason text NOT NULL,
    status text NOT NULL CHECK (status IN ('NEEDS_RESPONSE', 'UNDER_REVIEW', 'WON', 'LOST')),
    evidence_due_by timestamptz NOT NULL,
    created_at timestamptz NOT NULL
);

-- Gone again at the end; text that looks like Stripe's.
CREATE FUNCTION stripe_id(prefix text, seed text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT prefix || left(translate(encode(sha256(seed::bytea), 'base64'), E'+/=\n', 'xyz'), 24)
$$;

INSERT INTO users
SELECT
    md5('user' || n)::uuid,
    lower(translate(first || '.' || last, 'éíñö', 'eino')) || n || '@example.com',
    first || ' ' || last,
    '+1 555 01' || lpad((n % 100)::text, 2, '0'),
    'scrypt$' || md5('secret' || n),
    now() - (random() * 700 + 15) * interval '1 day'
FROM generate_series(1, 1600) AS n
CROSS JOIN LATERAL (
    SELECT
        (ARRAY['Ada', 'Bo', 'Chloé', 'Dmitri', 'Emeka', 'Fatima', 'Grace', 'Hiro', 'Inés', 'Jörg',
               'Kofi', 'Lena', 'Mei', 'Noor', 'Olu', 'Priya'])[1 + n % 16] AS first,
        (ARRAY['Adams', 'Bauer', 'Costa', 'Diallo', 'Eriksen', 'Fischer', 'García', 'Hassan',
               'Ito', 'Jensen', 'Kowalski', 'Lopez', 'Muñoz'])[1 + n % 13] AS last
) AS names;

-- Two weeks of orders. A few users buy most, and most is sold in the evening.
INSERT INTO orders
SELECT
    md5('order' || n)::uuid,
    md5('user' || buyer)::uuid,
    md5('event' || event)::uuid,
    (ARRAY['Night Trains - Autumn Tour', 'City Derby', 'La Bohème', 'Stand-up Thursday',
           'Jazz on the Pier', 'Robotics Fair', 'Winter Gala', 'Indie Film Marathon'])[event],
    CASE
        WHEN created_at > now() - interval '10 minutes' AND luck < 0.30 THEN 'PENDING'
        WHEN luck < 0.91 THEN 'CONFIRMED'
        WHEN luck < 0.96 THEN 'CANCELLED'
        WHEN luck < 0.992 THEN 'REFUNDED'
        ELSE 'DISPUTED'
    END,
    0,
    CASE WHEN n % 9 = 0 THEN 'EUR' WHEN n % 23 = 0 THEN 'GBP' ELSE 'USD' END,
    (SELECT email FROM users WHERE id = md5('user' || buyer)::uuid),
    stripe_id('pi_3', 'order' || n),
    created_at,
    created_at + random() * interval '90 seconds'
FROM (
    SELECT
        n,
        1 + floor(1600 * power(random(), 3))::integer AS buyer,
        1 + floor(8 * power(random(), 1.7))::integer AS event,
        random() AS luck,
        CASE
            WHEN n <= 160 THEN now() - random() * interval '1 hour'
            WHEN evening > now() THEN evening - interval '14 days'
            ELSE evening
        END AS created_at
    FROM generate_series(1, 10000) AS n
    CROSS JOIN LATERAL (
        SELECT date_trunc('day', now())
            - floor(14 * power(random(), 1.2) + 0 * n) * interval '1 day'
            + (CASE WHEN n % 10 < 6 THEN 17 + 5 * random() ELSE 24 * random() END)
            * interval '1 hour' AS evening
    ) AS clock
) AS drawn;

-- Paid at Stripe, but the webhook never came through: what "stuck" means.
UPDATE orders SET status = 'PENDING', updated_at = created_at
WHERE id IN (
    SELECT id FROM orders
    WHERE created_at BETWEEN now() - interval '4 hours' AND now() - interval '35 minutes'
    ORDER BY id LIMIT 23
);

-- Retries that used one payment intent twice, and an order that never got as far as Stripe.
UPDATE orders SET stripe_payment_intent_id = stripe_id('pi_3', 'order' || 5001)
WHERE id IN (md5('order' || 5002)::uuid, md5('order' || 7003)::uuid);
UPDATE orders SET stripe_payment_intent_id = NULL WHERE id = md5('order' || 6001)::uuid;

INSERT INTO order_items (order_id, ticket_type, seat, unit_price_cents)
SELECT
    id,
    (ARRAY['standard', 'standard', 'standard', 'balcony', 'vip'])[kind],
    'R' || (1 + floor(random() * 40)) || '-' || (1 + floor(random() * 60)),
    (ARRAY[3900, 4500, 4900, 6900, 14900])[kind]
FROM (SELECT id, 1 + floor(5 * power(random(), 2))::integer AS kind, random() AS size FROM orders)
    AS drawn
CROSS JOIN LATERAL generate_series(1, 1 + floor(6 * power(size, 2))::integer);

UPDATE orders SET total_cents = paid.cents
FROM (SELECT order_id, sum(unit_price_cents) AS cents FROM order_items GROUP BY order_id) AS paid
WHERE order_id = orders.id;

INSERT INTO refunds
SELECT
    md5('refund' || id)::uuid, id, stripe_id('re_3', id::text), total_cents,
    (ARRAY['requested_by_customer', 'event_cancelled', 'duplicate'])[1 + floor(random() * 3)],
    CASE WHEN random() < 0.93 THEN 'SUCCEEDED' ELSE 'FAILED' END,
    asked_at, asked_at + random() * (now() - asked_at)
FROM (
    SELECT *, created_at + power(random(), 3) * (now() - created_at) AS asked_at
    FROM orders WHERE status = 'REFUNDED'
) AS refunded;
UPDATE refunds SET status = 'PENDING', processed_at = NULL
WHERE id IN (SELECT id FROM refunds ORDER BY created_at DESC LIMIT 9);

INSERT INTO disputes
SELECT
    md5('dispute' || id)::uuid, id, stripe_id('dp_1', id::text), total_cents,
    (ARRAY['fraudulent', 'fraudulent', 'product_not_received', 'duplicate'])
        [1 + floor(random() * 4)],
    (ARRAY['NEEDS_RESPONSE', 'UNDER_REVIEW', 'WON', 'LOST'])[1 + floor(random() * 4)],
    now() + random() * interval '9 days',
    created_at + random() * (now() - created_at)
FROM orders WHERE status = 'DISPUTED';

INSERT INTO webhook_events
SELECT
    md5('webhook' || orders.id)::uuid,
    stripe_id('evt_1', orders.id::text),
    kind,
    jsonb_build_object(
        'id', stripe_id('evt_1', orders.id::text), 'object', 'event', 'type', kind,
        'created', floor(extract(epoch FROM orders.created_at)), 'livemode', true,
        'data', jsonb_build_object('object', jsonb_build_object(
            'id', stripe_payment_intent_id, 'amount', total_cents, 'currency', lower(currency),
            'receipt_email', customer_email,
            'metadata', jsonb_build_object('order_id', orders.id)
        ))
    ),
    1, NULL, updated_at, updated_at + random() * interval '800 milliseconds'
FROM orders
CROSS JOIN LATERAL (
    SELECT CASE status
        WHEN 'CANCELLED' THEN 'payment_intent.payment_failed'
        WHEN 'REFUNDED' THEN 'charge.refunded'
        WHEN 'DISPUTED' THEN 'charge.dispute.created'
        ELSE 'payment_intent.succeeded'
    END AS kind
) AS kinds
WHERE created_at > now() - interval '4 days' AND status <> 'PENDING';

UPDATE webhook_events
SET processed_at = NULL, attempts = 1 + floor(random() * 5),
    error = (ARRAY[
        'No signatures found matching the expected signature for payload',
        'timeout of 5000ms exceeded: POST http://payment-service:3006/intents/confirm',
        'duplicate key value violates unique constraint "orders_pkey"',
        NULL
    ])[1 + floor(random() * 4)]
WHERE id IN (
    SELECT id FROM webhook_events
    WHERE created_at BETWEEN now() - interval '50 minutes' AND now() - interval '2 minutes'
    ORDER BY id LIMIT 17
);

ALTER TABLE orders ADD FOREIGN KEY (user_id) REFERENCES users;
ALTER TABLE order_items ADD FOREIGN KEY (order_id) REFERENCES orders;
ALTER TABLE refunds ADD FOREIGN KEY (order_id) REFERENCES orders;
ALTER TABLE disputes ADD FOREIGN KEY (order_id) REFERENCES orders;

CREATE INDEX orders_user_id_created_at ON orders (user_id, created_at);
CREATE INDEX orders_status_created_at ON orders (status, created_at);
CREATE INDEX orders_created_at ON orders (created_at);
CREATE INDEX orders_payment_intent ON orders (stripe_payment_intent_id);
CREATE INDEX orders_event_id ON orders (event_id);
CREATE INDEX webhook_events_waiting ON webhook_events (created_at) WHERE processed_at IS NULL;
CREATE INDEX refunds_order_id ON refunds (order_id);
CREATE INDEX disputes_order_id ON disputes (order_id);
-- Nothing ever searches by currency, and order_items has no index on order_id although every order
-- page searches by it: one index too many and one too few, for the step that looks for both.
CREATE INDEX orders_currency ON orders (currency);

DROP FUNCTION stripe_id;
ANALYZE;
