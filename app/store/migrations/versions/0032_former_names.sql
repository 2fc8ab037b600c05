-- A type may change its name and keep its wordings: people and configuration know it by its name.
ALTER TABLE former_wordings ADD COLUMN name text NOT NULL DEFAULT '';
ALTER TABLE former_wordings DROP CONSTRAINT former_wordings_pkey;
ALTER TABLE former_wordings ADD PRIMARY KEY (site_id, type_id, name, inward, outward);
