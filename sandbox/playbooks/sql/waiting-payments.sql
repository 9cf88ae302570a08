-- Payments that the card provider has not answered to for a minute.
SELECT created_at, amount_cents, currency, card_brand, order_id, id
FROM payments
WHERE status = 'PENDING'
AND created_at < now() - interval '1 minute'
ORDER BY created_at
