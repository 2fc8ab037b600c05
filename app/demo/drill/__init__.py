"""The incident, replayed: somebody's script deletes origins by the hundred while the scope of a
connection is changed, and everything is put back.

It runs on sandbox sites of its own and ends 0 only if every unmanaged link is untouched and the
mirrors are those of the origins, by the sites' own logs.
"""

from app.demo.drill.play import run

__all__ = ["run"]
