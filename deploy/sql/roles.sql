-- The two roles through which Runbolt reaches a shop's database, and nothing more than they need.
--
--   runbolt_ro    reads the tables named below and the server's statistics
--   runbolt_ops   ends sessions of others, which a second person has approved, and reads the
--                 statistics, to check whose session it is when it ends it
--
-- Run it as an administrator, connected to the shop's database, as often as you like:
--
--   psql --dbname=orders --single-transaction --set=ON_ERROR_STOP=1 --file=deploy/sql/roles.sql
--
-- then give each role its password, which psql prompts for and sends only as a hash:
--
--   \password runbolt_ro
--   \password runbolt_ops
--
-- Then run functions.sql, which takes from runbolt_ro the functions that act and that everybody may
-- call. After an upgrade of Runbolt run both files again, this one with your own tables named below:
-- it takes away what it does not name.
--
-- It also takes from PUBLIC what PostgreSQL gives to everybody: to make temporary tables, objects in
-- the schema public and large objects in a database that has none. The owner of the database keeps
-- the first two. If the application connects as another role and needs one, grant it to that role:
--
--   GRANT TEMPORARY ON DATABASE orders TO the_application;
--
-- It changes only this database. To keep the roles out of another one of the same server:
--
--   REVOKE CONNECT ON DATABASE another FROM PUBLIC;

DO $$
DECLARE
    role name;
    needless name;
BEGIN
    FOREACH role IN ARRAY ARRAY['runbolt_ro', 'runbolt_ops']::name[] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
            EXECUTE format('CREATE ROLE %I', role);
        END IF;
        IF EXISTS (
            SELECT FROM pg_roles
            WHERE rolname = role
            AND (rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls)
        ) THEN
            RAISE EXCEPTION 'The role % exists with more rights than it may have, so nothing was '
                'changed. Take its attributes away with ALTER ROLE, then run this again.', role;
        END IF;
        FOR needless IN
            SELECT granted.rolname
            FROM pg_auth_members JOIN pg_roles granted ON granted.oid = roleid
            WHERE member = quote_ident(role)::regrole
            AND granted.rolname <> 'pg_read_all_stats'
            AND NOT (role = 'runbolt_ops' AND granted.rolname = 'pg_signal_backend')
        LOOP
            EXECUTE format('REVOKE %I FROM %I', needless, role);
        END LOOP;
    END LOOP;
END
$$;

ALTER ROLE runbolt_ro LOGIN INHERIT CONNECTION LIMIT 10;
ALTER ROLE runbolt_ops LOGIN INHERIT CONNECTION LIMIT 5;
GRANT pg_read_all_stats TO runbolt_ro, runbolt_ops;
GRANT pg_signal_backend TO runbolt_ops;

-- Guards against accidents and no more: a role may change its own settings. What keeps the data
-- safe is that neither role was granted anything to write with.
ALTER ROLE runbolt_ro SET default_transaction_read_only = on;
ALTER ROLE runbolt_ro SET statement_timeout = '15s';
ALTER ROLE runbolt_ro SET lock_timeout = '2s';
ALTER ROLE runbolt_ro SET idle_in_transaction_session_timeout = '30s';
ALTER ROLE runbolt_ro SET search_path = public, pg_temp;
ALTER ROLE runbolt_ops SET default_transaction_read_only = on;
ALTER ROLE runbolt_ops SET statement_timeout = '15s';
ALTER ROLE runbolt_ops SET lock_timeout = '2s';
ALTER ROLE runbolt_ops SET idle_in_transaction_session_timeout = '30s';
ALTER ROLE runbolt_ops SET search_path = pg_catalog, pg_temp;

DO $$
BEGIN
    EXECUTE format('REVOKE CREATE, TEMPORARY ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format(
        'REVOKE CREATE, TEMPORARY ON DATABASE %I FROM runbolt_ro, runbolt_ops', current_database()
    );
    EXECUTE format(
        'GRANT CONNECT ON DATABASE %I TO runbolt_ro, runbolt_ops', current_database()
    );
    -- A large object is a row that anybody may write. Where there is none, nobody misses it.
    IF NOT EXISTS (SELECT FROM pg_largeobject_metadata) THEN
        REVOKE EXECUTE ON FUNCTION
            lo_create(oid), lo_creat(integer), lo_from_bytea(oid, bytea) FROM PUBLIC;
    END IF;
END
$$;

REVOKE CREATE ON SCHEMA public FROM PUBLIC;
REVOKE ALL ON SCHEMA public FROM runbolt_ro, runbolt_ops;
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM runbolt_ro, runbolt_ops;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM runbolt_ro, runbolt_ops;

-- Name here what the playbooks' queries read. Whatever is not named stays out of reach.
GRANT USAGE ON SCHEMA public TO runbolt_ro;
GRANT SELECT ON orders, order_items, webhook_events, refunds, disputes TO runbolt_ro;

-- A function that runs as its owner is a way around all of this, where everybody may call it. It may
-- be meant for the application, so it is only reported.
DO $$
DECLARE
    names text;
BEGIN
    SELECT string_agg(oid::regprocedure::text, ', ' ORDER BY oid::regprocedure::text) INTO names
    FROM pg_proc
    WHERE prosecdef
    AND pronamespace = 'public'::regnamespace
    AND has_function_privilege('runbolt_ro', oid, 'EXECUTE');
    IF names IS NOT NULL THEN
        RAISE WARNING 'runbolt_ro may call functions that run as their owner: %. Take EXECUTE from '
            'PUBLIC, and grant it to the application.', names;
    END IF;
END
$$;
