-- A pair that moved out of scope before 0056 has the key of now as the key that it is known by: one of
-- another tenant's project. It becomes the key of now alone. What the pair is known by is the last key in
-- scope that the ledger has of the issue, else a word without any project.
DO $$
DECLARE
    side text;
BEGIN
    FOREACH side IN ARRAY ARRAY['left', 'right'] LOOP
        EXECUTE format($update$
            WITH scope AS (
                SELECT c.id, ARRAY(
                    SELECT jsonb_array_elements_text(r.config -> '%1$s' -> 'projects')
                    UNION
                    SELECT p.key FROM project_pins p
                    WHERE p.connection_id = c.id AND p.side = '%1$s') AS projects
                FROM connections c
                JOIN revisions r ON r.connection_id = c.id AND r.revision = c.revision
            ), named AS (
                SELECT t.id AS twin_id, n.key, l.id,
                       split_part(n.key, '-', 1) = ANY(s.projects) AS inside
                FROM twins t
                JOIN scope s ON s.id = t.connection_id
                JOIN ledger l ON l.connection_id = t.connection_id
                    AND (l.source_twin_id = t.id OR l.destination_twin_id = t.id)
                CROSS JOIN LATERAL (VALUES
                    (l.%1$s_source_id, l.%1$s_source_key),
                    (l.%1$s_destination_id, l.%1$s_destination_key)) n (issue_id, key)
                WHERE t.suspended = 'moved_out_of_scope' AND n.issue_id = t.%1$s_issue_id
            )
            UPDATE twins t
            SET %1$s_moved_key = t.%1$s_key, version = t.version + 1,
                %1$s_key = coalesce(
                    (SELECT n.key FROM named n WHERE n.twin_id = t.id AND n.inside
                     ORDER BY n.id DESC LIMIT 1),
                    'hidden-' || t.%1$s_issue_id)
            FROM scope s
            WHERE s.id = t.connection_id AND t.suspended = 'moved_out_of_scope'
              AND t.%1$s_moved_key IS NULL
              AND split_part(t.%1$s_key, '-', 1) <> ALL(s.projects)
              -- Where the ledger has the key of now the issue did not move: its project was taken out.
              AND NOT EXISTS (SELECT FROM named n WHERE n.twin_id = t.id AND n.key = t.%1$s_key)
        $update$, side);
    END LOOP;
END $$;
