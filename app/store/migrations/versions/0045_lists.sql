-- A page of a list reads a page, whatever its filter.
CREATE INDEX ledger_list ON ledger (connection_id, id);
CREATE INDEX ledger_state_list ON ledger (connection_id, state, id);
DROP INDEX ledger_state;
-- Rows of pairs that are gone: few writes, and people ask for them by the key that was.
CREATE INDEX ledger_released_left_source ON ledger (left_source_key) WHERE state = 'released';
CREATE INDEX ledger_released_left_destination ON ledger (left_destination_key)
    WHERE state = 'released';
CREATE INDEX ledger_released_right_source ON ledger (right_source_key) WHERE state = 'released';
CREATE INDEX ledger_released_right_destination ON ledger (right_destination_key)
    WHERE state = 'released';
-- Each delivery is in one of these.
CREATE INDEX inbox_link_created ON inbox (id) WHERE kind = 'link_created';
CREATE INDEX inbox_issue_created ON inbox (id) WHERE kind = 'issue_created';
CREATE INDEX inbox_issue_updated ON inbox (id) WHERE kind = 'issue_updated';
CREATE INDEX inbox_issue_deleted ON inbox (id) WHERE kind = 'issue_deleted';
CREATE INDEX plans_dry_runs ON plans (created_at) WHERE kind = 'dry_run';
CREATE INDEX resyncs_plan ON resyncs (plan_id) WHERE plan_id IS NOT NULL;
-- In the audit, by connection and by site in the order of the list; and the few of a kind.
CREATE INDEX audit_connection ON audit (connection_id, id);
CREATE INDEX audit_site ON audit (site, id);
CREATE INDEX audit_noop ON audit (id) WHERE status = 'noop';
CREATE INDEX audit_adopted_list ON audit (id) WHERE operation = 'adopt';
CREATE INDEX audit_released_list ON audit (id) WHERE operation = 'release';
CREATE INDEX audit_revision_list ON audit (connection_id, revision, id);
DROP INDEX audit_revision;
