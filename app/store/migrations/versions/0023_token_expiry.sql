-- When the token of our account expires there. Jira does not say so; its administrator may.
ALTER TABLE sites ADD COLUMN IF NOT EXISTS token_expires_at timestamptz;
