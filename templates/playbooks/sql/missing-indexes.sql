-- Where an index may be missing, and which indexes do nothing. It looks and creates nothing.
WITH since AS (
    SELECT coalesce('since ' || to_char(stats_reset, 'YYYY-MM-DD'), 'since counting began') AS words
    FROM pg_stat_database WHERE datname = current_database()
),
scanned AS (
    SELECT
        'index missing?' AS finding,
        relname AS "table",
        NULL::name AS "index",
        'read as a whole ' || seq_scan || ' times, ' || seq_tup_read / seq_scan
            || ' rows each; by an index ' || coalesce(idx_scan, 0) || ' times' AS why,
        pg_table_size(relid) AS size,
        seq_tup_read AS weight
    FROM pg_stat_user_tables
    WHERE seq_scan >= 20
    AND seq_scan > coalesce(idx_scan, 0)
    AND seq_tup_read / seq_scan >= 1000
),
useless AS (
    SELECT
        CASE WHEN indisvalid THEN 'index unused' ELSE 'index invalid' END AS finding,
        used.relname AS "table",
        used.indexrelname AS "index",
        CASE
            WHEN indisvalid THEN
                'no query used it ' || since.words || '; ask about replicas and rare reports'
            ELSE 'its creation failed or goes on: no query may use it, every write pays for it'
        END AS why,
        pg_relation_size(used.indexrelid) AS size,
        0 AS weight
    FROM pg_stat_user_indexes AS used
    JOIN pg_index USING (indexrelid)
    JOIN pg_stat_user_tables AS tables ON tables.relid = used.relid
    CROSS JOIN since
    WHERE NOT indisvalid
    OR (
        used.idx_scan = 0
        AND NOT indisunique
        AND tables.seq_scan + coalesce(tables.idx_scan, 0) >= 20
    )
)
SELECT finding, "table", "index", why, pg_size_pretty(size) AS size
FROM (SELECT * FROM scanned UNION ALL SELECT * FROM useless) AS found
ORDER BY weight DESC, finding, found.size DESC
