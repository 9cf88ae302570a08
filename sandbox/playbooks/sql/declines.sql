-- Why cards were declined in the last 15 minutes, where one reason stands out.
SELECT
    count(*) AS decline_count,
    coalesce(decline_code, 'not said') AS reason,
    cluster,
    version,
    max(calls.created_at) AS last_at
FROM provider_calls AS calls
JOIN payments ON payments.id = payment_id
WHERE outcome = 'declined'
AND calls.created_at > now() - interval '15 minutes'
GROUP BY reason, cluster, version
HAVING count(*) > 5
ORDER BY decline_count DESC
