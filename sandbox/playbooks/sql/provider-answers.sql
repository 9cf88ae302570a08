-- How long the card provider took in the last 10 minutes, and how often it did not answer.
SELECT
    cluster,
    count(*) AS calls,
    count(*) FILTER (WHERE outcome = 'timeout') AS timeouts,
    round(percentile_cont(0.5) WITHIN GROUP (ORDER BY took_ms)::numeric) AS median_ms,
    max(took_ms) AS slowest_ms
FROM provider_calls
WHERE created_at > now() - interval '10 minutes'
GROUP BY cluster
ORDER BY cluster
