-- What is wrong, has been, and what was done about it. At most one is open per kind and place.
CREATE TABLE incidents (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL CHECK (kind ~ '^[a-z][a-z_]{0,62}$'),
    connection_id bigint REFERENCES connections,
    -- Without a foreign key: a site may go, what happened to it stays, under the name it had.
    site_id bigint,
    site text,
    state text NOT NULL CHECK (state IN ('investigating', 'identified', 'monitoring', 'resolved')),
    impact text NOT NULL CHECK (impact IN ('none', 'minor', 'major', 'critical')),
    -- The latest known facts; the timeline keeps the former ones.
    facts jsonb NOT NULL,
    opened_at timestamptz NOT NULL,
    last_seen_at timestamptz NOT NULL,
    -- Since when its condition is gone.
    quiet_since timestamptz,
    resolved_at timestamptz,
    resolved_by text,
    CHECK ((state = 'resolved') = (resolved_at IS NOT NULL))
);
CREATE UNIQUE INDEX incidents_open ON incidents
    (kind, coalesce(connection_id, 0), coalesce(site_id, 0)) WHERE state <> 'resolved';
CREATE INDEX incidents_place ON incidents (kind, connection_id, site_id, resolved_at);

-- The timeline. The service's own entries gather what repeats; a person's never change.
CREATE TABLE incident_updates (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    incident_id bigint NOT NULL REFERENCES incidents,
    at timestamptz NOT NULL,
    last_at timestamptz NOT NULL,
    times integer NOT NULL DEFAULT 1,
    author text NOT NULL,
    state text NOT NULL,
    impact text NOT NULL,
    text text NOT NULL,
    detail jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX incident_updates_incident ON incident_updates (incident_id, id);

-- Messages to people, written with what they tell of and sent by workers.
CREATE TABLE notifications (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key text NOT NULL,
    paging boolean NOT NULL,
    title text NOT NULL,
    body text NOT NULL,
    -- Of this key, since the one before: not sent.
    suppressed integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL,
    -- Handed to the targets that were configured then.
    addressed_at timestamptz
);
CREATE INDEX notifications_new ON notifications (id) WHERE addressed_at IS NULL;
CREATE INDEX notifications_created ON notifications (created_at);

-- When a key was last told, and how often it was not told since.
CREATE TABLE notification_keys (
    key text PRIMARY KEY,
    told_at timestamptz NOT NULL,
    suppressed integer NOT NULL DEFAULT 0,
    -- Of the time before: carried into the message of this one.
    carried integer NOT NULL DEFAULT 0
);

-- One message to one target, which is named by its place in the settings: URLs hold secrets.
CREATE TABLE notification_sends (
    notification_id bigint NOT NULL REFERENCES notifications ON DELETE CASCADE,
    target text NOT NULL,
    status text NOT NULL DEFAULT 'waiting'
        CHECK (status IN ('waiting', 'sent', 'failed', 'expired')),
    tries integer NOT NULL DEFAULT 0,
    -- A claim moves this forward as its lease, a failure as its back-off.
    due_at timestamptz NOT NULL,
    ended_at timestamptz,
    PRIMARY KEY (notification_id, target)
);
CREATE INDEX notification_sends_due ON notification_sends (target, due_at)
    WHERE status = 'waiting';

-- How many messages a target was sent within the minute that began then.
CREATE TABLE notification_targets (
    target text PRIMARY KEY,
    minute timestamptz NOT NULL,
    used integer NOT NULL DEFAULT 0
);

-- Which engine was started when: removals that begin with a new one are no coincidence.
CREATE TABLE engine_starts (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    engine text NOT NULL,
    started_at timestamptz NOT NULL
);

-- What this database was when a worker last looked. Another system or timeline: a backup was
-- restored or a replica promoted, and what Jira shows may be ahead of what is stored here.
ALTER TABLE installation
    ADD COLUMN system_identifier text,
    ADD COLUMN timeline text,
    -- Only ever grows: a process that remembers a higher one knows that time went back.
    ADD COLUMN beat bigint NOT NULL DEFAULT 0;

DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'twinlink_run') THEN
        GRANT SELECT, INSERT, UPDATE ON incidents, incident_updates, engine_starts TO twinlink_run;
        GRANT SELECT, INSERT, UPDATE, DELETE ON notifications, notification_keys,
            notification_sends, notification_targets TO twinlink_run;
        GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO twinlink_run;
    END IF;
END $$;
