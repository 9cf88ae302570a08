-- What has run for more than 5 seconds, and what it waits for. The bot's own sessions are left out.
-- Without pg_read_all_stats the others are hidden: they are returned as well, to be told as such.
SELECT
    pid,
    now() - query_start AS duration,
    usename AS "user",
    application_name AS application,
    wait_event_type || ': ' || wait_event AS waits_for,
    pg_blocking_pids(pid) AS blocked_by,
    left(query, 1000) AS query
FROM pg_stat_activity
WHERE pid <> pg_backend_pid()
AND NOT (usename IN (current_user, 'runbolt_ops') AND application_name = 'runbolt')
AND (
    (
        state = 'active'
        AND backend_type = 'client backend'
        AND now() - query_start > interval '5 seconds'
    )
    OR query = '<insufficient privilege>'
)
ORDER BY duration DESC NULLS LAST
