-- Who ordered most since yesterday. Cents of different currencies make no sum, so each has its own.
SELECT user_id, SUM(orders)::bigint AS order_count, JSONB_OBJECT_AGG(currency, cents) AS total_cents
FROM (
    SELECT user_id, currency, COUNT(*) AS orders, SUM(total_cents) AS cents
    FROM orders
    WHERE created_at > NOW() - INTERVAL '24 hours'
    GROUP BY user_id, currency
) AS by_currency
GROUP BY user_id
ORDER BY order_count DESC, user_id
LIMIT 20
