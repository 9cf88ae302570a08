-- The job that somebody wrote for a quiet night: it locks what it settles, and takes its time.
CREATE OR REPLACE FUNCTION orders_to_settle(day date) RETURNS SETOF orders LANGUAGE sql AS $$
    SELECT * FROM orders
    WHERE created_at > day - interval '2 days' AND status = 'CONFIRMED'
    FOR UPDATE
$$;

CREATE OR REPLACE FUNCTION settle_orders(day date) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    -- What it asks of Stripe for each order, one after the other.
    PERFORM pg_sleep(1800);
    RETURN (SELECT count(*) FROM orders_to_settle(day));
END
$$;
