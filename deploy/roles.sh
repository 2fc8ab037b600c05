#!/bin/sh
# Run once by the PostgreSQL image when it makes a new data directory, as the superuser.
# One role owns the schema and migrates it, the other runs the service and cannot change it.
set -eu

: "${MIGRATE_PASSWORD:?}" "${RUN_PASSWORD:?}"

# The passwords travel as psql variables, so that no quote in them can end the statement.
psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --dbname postgres <<'SQL'
\getenv migrate_password MIGRATE_PASSWORD
\getenv run_password RUN_PASSWORD
CREATE ROLE twinlink_migrate LOGIN PASSWORD :'migrate_password';
CREATE ROLE twinlink_run LOGIN PASSWORD :'run_password';
CREATE DATABASE twinlink OWNER twinlink_migrate;
REVOKE ALL ON DATABASE twinlink FROM PUBLIC;
GRANT CONNECT ON DATABASE twinlink TO twinlink_run;
\connect twinlink
GRANT USAGE ON SCHEMA public TO twinlink_run;
SQL
