-- Three new users with more orders in a day than anybody else, and disputes about many of them.
SELECT setseed(0.47);

INSERT INTO users
SELECT
    md5('quick' || n)::uuid, 'quick.buyer' || (7140 + 3 * n) || '@example.net', 'Quick Buyer',
    '+1 555 0199', 'scrypt$' || md5('quick' || n), now() - interval '2 days'
FROM generate_series(1, 3) AS n;

INSERT INTO orders
SELECT
    gen_random_uuid(), users.id, md5('event7')::uuid, 'Winter Gala',
    CASE WHEN m <= 12 THEN 'DISPUTED' ELSE 'CONFIRMED' END, 4 * 14900, 'USD', users.email,
    'pi_3' || left(replace(gen_random_uuid()::text, '-', ''), 24), at, at + interval '20 seconds'
FROM generate_series(1, 3) AS n
JOIN users ON users.id = md5('quick' || n)::uuid
CROSS JOIN LATERAL generate_series(1, (
    SELECT max(times)::integer + 30 - 7 * n FROM (
        SELECT count(*) AS times FROM orders
        WHERE created_at > now() - interval '24 hours' GROUP BY user_id
    ) AS counted
)) AS m
CROSS JOIN LATERAL (
    SELECT now() - (2 + 600 * random() + 0 * m) * interval '1 minute' AS at
) AS clock;

INSERT INTO order_items (order_id, ticket_type, seat, unit_price_cents)
SELECT id, 'vip', 'R1-' || (1 + floor(60 * random())), 14900
FROM orders CROSS JOIN generate_series(1, 4)
WHERE user_id IN (SELECT id FROM users WHERE starts_with(email, 'quick.'));

INSERT INTO disputes
SELECT
    gen_random_uuid(), id, 'dp_1' || left(replace(gen_random_uuid()::text, '-', ''), 24),
    total_cents, 'fraudulent', 'NEEDS_RESPONSE', now() + interval '7 days',
    now() - 50 * random() * interval '1 minute'
FROM orders
WHERE status = 'DISPUTED' AND user_id IN (SELECT id FROM users WHERE starts_with(email, 'quick.'));
