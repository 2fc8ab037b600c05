"""The incident, replayed: a script deletes hundreds of origins while the scope of a connection
changes, and everything is put back.

It runs on its own sandbox sites. Exit code 0 only if the sites' own logs show that every unmanaged
link is untouched and that the mirrors match the origins.
"""

from app.demo.drill.play import run

__all__ = ["run"]
