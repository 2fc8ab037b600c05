-- Calls per second that a site takes from our account, all together; null: the documented limits.
ALTER TABLE sites ADD COLUMN IF NOT EXISTS requests_per_second double precision
    CHECK (requests_per_second > 0);
