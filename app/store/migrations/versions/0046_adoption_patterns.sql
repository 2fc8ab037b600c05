-- What else an adopted account wrote on the connection's issues: a person's account is not taken over
-- for a product's unless it is named twice.
ALTER TABLE adoptions
    ADD COLUMN confirmed boolean NOT NULL DEFAULT false,
    -- The last twin whose issues were read for it.
    ADD COLUMN twin_cursor bigint NOT NULL DEFAULT 0,
    ADD COLUMN surveyed boolean NOT NULL DEFAULT false,
    ADD COLUMN paired integer NOT NULL DEFAULT 0,
    ADD COLUMN unpaired integer NOT NULL DEFAULT 0,
    ADD COLUMN refused_at timestamptz;
