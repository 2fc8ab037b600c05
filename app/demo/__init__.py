"""The first minute with Twinlink: real servers, two sandbox sites with a mixed world, the
rule of the incident on a copy of that world, and Twinlink on the world itself.

Everything is done through the public interfaces, and every claim is checked against the sandbox's
own log, never against our tables.
"""

from app.demo.play import run

__all__ = ["run"]
