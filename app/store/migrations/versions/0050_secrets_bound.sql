-- Once every secret is bound to its site, column, address and identity, one that is not was put
-- there by somebody who is not this service. The mark is never taken back: without it, an old
-- ciphertext out of a backup could be moved to another site and be bound there.
CREATE TABLE secrets_bound (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    bound_at timestamptz NOT NULL
);

CREATE FUNCTION secrets_stay_bound() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'bound secrets stay bound' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER secrets_bound_no_change BEFORE UPDATE OR DELETE ON secrets_bound
    FOR EACH ROW EXECUTE FUNCTION secrets_stay_bound();
CREATE TRIGGER secrets_bound_no_truncate BEFORE TRUNCATE ON secrets_bound
    FOR EACH STATEMENT EXECUTE FUNCTION secrets_stay_bound();
ALTER TABLE secrets_bound ENABLE ALWAYS TRIGGER secrets_bound_no_change;
ALTER TABLE secrets_bound ENABLE ALWAYS TRIGGER secrets_bound_no_truncate;

DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'twinlink_run') THEN
        GRANT SELECT, INSERT ON secrets_bound TO twinlink_run;
    END IF;
END $$;
