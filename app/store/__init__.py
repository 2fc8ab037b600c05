"""PostgreSQL through asyncpg: one file per table family, with its SQL. Knows `core` only."""
