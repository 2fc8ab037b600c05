-- How many claims of a pair ended with their process, and no look since. From two on it is tried alone;
-- what is parked keeps two.
ALTER TABLE work ADD COLUMN lost integer NOT NULL DEFAULT 0;
CREATE INDEX work_lost ON work (connection_id) WHERE lost >= 2;
