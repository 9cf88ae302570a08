-- Takes from runbolt_ro the functions of PostgreSQL that act, and that everybody may call.
--
-- roles.sql gives it nothing to write with. But PostgreSQL lets everybody, in a transaction that
-- only reads too, end one's own sessions, notify others, take advisory locks, and write to the
-- write-ahead log. The bot refuses a query that calls such a function. It cannot see one inside a
-- view, an operator, a domain or a function of yours: with this file PostgreSQL refuses that one.
--
-- Run it after roles.sql, as a superuser (of a managed server, its owner may be somebody else: then
-- it warns, and changes nothing), as often as you like:
--
--   psql --dbname=orders --single-transaction --set=ON_ERROR_STOP=1 --file=deploy/sql/functions.sql
--
-- PostgreSQL knows no right that is taken from one role alone. So these functions are taken from
-- PUBLIC, and given by name to every other role that there is now: nothing changes for them. A role
-- that you make later has what the roles have that it is a member of. If it is a member of none and
-- needs one of these functions, grant it:
--
--   GRANT EXECUTE ON FUNCTION pg_notify(text, text) TO the_new_role;
--
-- To go back, grant all of them to PUBLIC. Leave this file out if that is too much for your server:
-- then trust the views and functions that runbolt_ro may use.

DO $$
DECLARE
    acting regprocedure;
    others text;
BEGIN
    SELECT string_agg(quote_ident(rolname), ', ') INTO others
    FROM pg_roles
    WHERE rolname NOT IN ('runbolt_ro', 'runbolt_ops') AND rolname !~ '^pg_' AND NOT rolsuper;

    FOR acting IN
        SELECT pg_proc.oid
        FROM pg_proc
        WHERE proname ~ (
            '^(pg_(cancel|terminate)_backend|pg_notify|pg_(try_)?advisory_.*|txid_current'
            '|pg_current_xact_id|pg_logical_emit_message|pg_export_snapshot'
            '|lo_.*|loread|lowrite|dblink.*)$'
        )
        AND (
            pronamespace = 'pg_catalog'::regnamespace
            OR EXISTS (
                SELECT FROM pg_depend
                WHERE classid = 'pg_proc'::regclass AND objid = pg_proc.oid AND deptype = 'e'
            )
        )
        AND EXISTS (
            SELECT FROM aclexplode(coalesce(proacl, acldefault('f', proowner)))
            WHERE grantee = 0 AND privilege_type = 'EXECUTE'
        )
    LOOP
        IF others IS NOT NULL THEN
            EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %s', acting, others);
        END IF;
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', acting);
    END LOOP;
END
$$;

-- What runbolt_ops is for.
GRANT EXECUTE ON FUNCTION pg_terminate_backend(integer, bigint) TO runbolt_ops;
