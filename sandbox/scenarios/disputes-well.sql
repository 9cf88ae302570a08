-- As if the three had never been here.
CREATE TEMPORARY TABLE theirs ON COMMIT DROP AS
SELECT id, stripe_payment_intent_id FROM orders
WHERE user_id IN (SELECT id FROM users WHERE starts_with(email, 'quick.'));

DELETE FROM disputes WHERE order_id IN (SELECT id FROM theirs);
DELETE FROM refunds WHERE order_id IN (SELECT id FROM theirs);
DELETE FROM order_items WHERE order_id IN (SELECT id FROM theirs);
DELETE FROM webhook_events
WHERE stripe_event_id IN (SELECT 'evt_' || substr(stripe_payment_intent_id, 4) FROM theirs);
DELETE FROM orders WHERE id IN (SELECT id FROM theirs);
DELETE FROM users WHERE starts_with(email, 'quick.');
