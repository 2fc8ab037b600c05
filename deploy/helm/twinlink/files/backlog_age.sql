SELECT coalesce(max(extract(epoch FROM now() - w.due_at)), 0)::float8
FROM connections c
CROSS JOIN (VALUES (false), (true)) lane (bulk)
CROSS JOIN LATERAL (
    SELECT due_at FROM work
    WHERE bulk = lane.bulk AND connection_id = c.id
      AND generation > done AND failed_at IS NULL AND due_at <= now()
      AND (lease_until IS NULL OR lease_until < now())
    ORDER BY due_at LIMIT 1
) w
WHERE c.paused_at IS NULL AND c.deleted_at IS NULL
  AND NOT EXISTS (SELECT 1 FROM installation WHERE paused_at IS NOT NULL)
