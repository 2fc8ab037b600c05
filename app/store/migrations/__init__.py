"""Schema versions and the function that applies them."""

from app.store.migrations.run import latest, migrate

__all__ = ["latest", "migrate"]
