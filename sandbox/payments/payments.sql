-- A week of payments: the same at each start, their times counted back from now.
SELECT setseed(0.41);

CREATE TABLE payments (
    id text PRIMARY KEY,
    order_id uuid NOT NULL,
    status text NOT NULL CHECK (status IN ('PENDING', 'AUTHORISED', 'DECLINED', 'REFUNDED')),
    amount_cents integer NOT NULL CHECK (amount_cents >= 0),
    currency character(3),
    card_brand text NOT NULL,
    decline_code text,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);

CREATE TABLE provider_calls (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    payment_id text NOT NULL,
    cluster text NOT NULL,
    version text NOT NULL,
    outcome text NOT NULL CHECK (outcome IN ('ok', 'declined', 'timeout')),
    took_ms integer NOT NULL,
    created_at timestamptz NOT NULL
);

INSERT INTO payments
SELECT
    'pay_' || substr(md5('payment' || n), 1, 14),
    md5('paid order' || n)::uuid,
    CASE WHEN luck < 0.03 THEN 'DECLINED' WHEN luck < 0.05 THEN 'REFUNDED' ELSE 'AUTHORISED' END,
    (ARRAY[3900, 4500, 4900, 6900, 9800, 14900])[1 + floor(6 * random())::integer],
    CASE WHEN n % 9 = 0 THEN 'EUR' WHEN n % 23 = 0 THEN 'GBP' ELSE 'USD' END,
    (ARRAY['visa', 'visa', 'mastercard', 'amex'])[1 + n % 4],
    CASE WHEN luck < 0.03 THEN
        (ARRAY['insufficient_funds', 'expired_card', 'do_not_honor'])[1 + n % 3] END,
    at,
    at + random() * interval '2 seconds'
FROM (
    SELECT n, random() AS luck, now() - CASE
        WHEN n <= 240 THEN random() * interval '1 hour'
        ELSE 7 * power(random(), 1.2) * interval '1 day'
    END AS at
    FROM generate_series(1, 3000) AS n
) AS drawn;

INSERT INTO provider_calls (payment_id, cluster, version, outcome, took_ms, created_at)
SELECT
    id,
    CASE WHEN random() < 0.5 THEN 'us-east' ELSE 'eu-west' END,
    CASE WHEN created_at < now() - interval '6 days' THEN 'v1.17.3' ELSE 'v1.18.0' END,
    CASE WHEN status = 'DECLINED' THEN 'declined' ELSE 'ok' END,
    140 + floor(480 * power(random(), 2))::integer,
    updated_at
FROM payments ORDER BY created_at;

ALTER TABLE provider_calls ADD FOREIGN KEY (payment_id) REFERENCES payments;

CREATE INDEX payments_created_at ON payments (created_at);
CREATE INDEX payments_waiting ON payments (created_at) WHERE status = 'PENDING';
CREATE INDEX provider_calls_created_at ON provider_calls (created_at);

ANALYZE;
