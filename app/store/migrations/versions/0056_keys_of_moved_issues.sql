-- The key that an issue has now, where that is in no project of the connection: it names another
-- tenant's project, so lists and look-ups go by the key that it had in scope.
ALTER TABLE twins ADD COLUMN IF NOT EXISTS left_moved_key text,
                  ADD COLUMN IF NOT EXISTS right_moved_key text;

CREATE INDEX twins_left_moved ON twins (left_moved_key) WHERE left_moved_key IS NOT NULL;
CREATE INDEX twins_right_moved ON twins (right_moved_key) WHERE right_moved_key IS NOT NULL;
