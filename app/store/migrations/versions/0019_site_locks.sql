-- Since when no call leaves for this site, because it wants a person (a CAPTCHA); null: calls go.
ALTER TABLE sites ADD COLUMN IF NOT EXISTS locked_since timestamptz;
