-- Whether the incident was open when this was drawn as it stays while that does not change;
-- null for what changes otherwise, and after a new version, which may say it in other words.
ALTER TABLE messages ADD COLUMN final_open boolean;
