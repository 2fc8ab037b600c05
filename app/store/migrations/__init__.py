"""Schema versions: `head` names the newest, `run` applies them.

Kept apart because every process asks for the one and few do the other, and Alembic with all that
it imports takes longer to load than the rest of a worker.
"""
