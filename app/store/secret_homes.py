"""Where a stored secret belongs: it opens nowhere else."""

import json
from dataclasses import dataclass
from typing import Final

AUTH: Final = "auth_sealed"
WEBHOOK: Final = "webhook_secret_sealed"
PREVIOUS: Final = "previous_secret_sealed"
PROXY: Final = "proxy_sealed"
COLUMNS: Final = (AUTH, WEBHOOK, PREVIOUS, PROXY)
"""Columns of `sites`, the only table with secrets that can be read back. Every column with sealed
bytes must be listed here; a test compares this with the schema."""


@dataclass(frozen=True, slots=True)
class Home:
    """A site as far as it decides where its secrets are sent: its name and address, the Jira that
    is pinned there, and the authorities beside the public ones that this Jira's certificate may
    come from."""

    site: str
    base_url: str
    identity: str | None
    authorities: str | None

    def column(self, column: str) -> bytes:
        """What a secret of this column is bound to: no two places give the same bytes."""
        parts = ["sites", self.site, column, self.base_url, self.identity, self.authorities]
        return json.dumps(parts, ensure_ascii=True).encode("ascii")


def secret_of(column: str) -> str:
    """What people call the secret of a column."""
    return column.removesuffix("_sealed")
