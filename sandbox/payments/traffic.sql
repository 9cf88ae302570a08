-- One payment, as a pod of payment-service sends it to the provider.
WITH paid AS (
    INSERT INTO payments
    SELECT
        'pay_' || left(replace(gen_random_uuid()::text, '-', ''), 14), gen_random_uuid(),
        CASE %(outcome)s WHEN 'ok' THEN 'AUTHORISED' WHEN 'declined' THEN 'DECLINED'
            ELSE 'PENDING' END,
        (ARRAY[3900, 4500, 4900, 6900, 9800, 14900])[1 + floor(6 * random())::integer],
        nullif(%(currency)s, ''),
        (ARRAY['visa', 'visa', 'mastercard', 'amex'])[1 + floor(4 * random())::integer],
        nullif(%(code)s, ''), now() - %(ago)s * interval '1 second',
        now() - %(ago)s * interval '1 second'
    RETURNING id, created_at
)
INSERT INTO provider_calls (payment_id, cluster, version, outcome, took_ms, created_at)
SELECT id, %(cluster)s, %(version)s, %(outcome)s, %(took)s, created_at FROM paid;

-- What waited, once the provider answers again.
UPDATE payments SET status = 'AUTHORISED', updated_at = now() WHERE status = 'PENDING';
