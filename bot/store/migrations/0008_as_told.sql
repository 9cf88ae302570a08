-- An update as it was posted: what the incident became later does not rewrite it. NULL in older ones.
ALTER TABLE updates ADD COLUMN words text;
