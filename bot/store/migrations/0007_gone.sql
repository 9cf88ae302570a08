-- Since when the query that found it no longer does; people close it, not the bot.
ALTER TABLE tasks ADD COLUMN gone_at timestamptz;
