-- No row is taken from the timeline, not all of them at once either: a trigger for each row is not
-- asked by TRUNCATE.
CREATE TRIGGER timeline_is_never_emptied BEFORE TRUNCATE ON timeline
    FOR EACH STATEMENT EXECUTE FUNCTION timeline_is_append_only();
