"""Everything on one machine: servers, schema, child processes."""
