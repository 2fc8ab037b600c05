"""Answers of the API in the shapes that its schemas give."""

from typing import Any

SITE: dict[str, Any] = {
    "name": "cloud",
    "base_url": "https://one.example.org",
    "web_url": None,
    "deployment": "cloud",
    "auth": {"kind": "basic"},
    "account_dedicated": True,
    "requests_per_second": None,
    "token_expires_at": None,
    "identity": "cloud-1",
    "account_id": "5b10",
    "checked_at": None,
    "circuit_open_since": None,
    "locked_since": None,
    "previous_secret_until": None,
    "version": 3,
    "created_at": "2030-01-01T00:00:00Z",
    "updated_at": "2030-01-01T00:00:00Z",
}
WINDOW = {"scope": "hour", "seconds": 3600, "limit": 10, "used": 2}
CONFIG: dict[str, Any] = {
    "left": {"site": "cloud", "projects": ["A"]},
    "right": {"site": "dc", "projects": ["B", "C"]},
    "direction": "both",
    "link_types": [{"left": "Blocks", "right": "Stops", "reversed": True}],
    "on_mirror_removed": "detach",
    "on_issue_deleted": "keep",
    "guard": {"hour": {"share": 0.01, "min": 10, "max": 100}},
    "twins": {"source": "api", "side": None, "field": None},
}
CONNECTION: dict[str, Any] = {
    **CONFIG,
    "name": "main",
    "revision": 2,
    "mode": "shadow",
    "paused": False,
    "paused_at": None,
    "guard": {
        "state": "armed",
        "tripped_at": None,
        "reason": None,
        "resets": {"limit": 3, "used": 0, "next_at": None, "last_at": None, "last_by": None},
        "windows": [WINDOW],
    },
    "created_at": "2030-01-01T00:00:00Z",
}
STATUS: dict[str, Any] = {
    "backlog": 0,
    "in_flight": 0,
    "delayed": 0,
    "resyncs": 0,
    "waiting": 1,
    "unknown": 1,
    "held": 0,
    "failed": 0,
    "dismissed": 0,
    "unconfirmed": 0,
    "oldest_seconds": None,
    "pairs_suspended": 0,
    "suspended": 0,
    "orphaned": 0,
    "detached": 0,
    "released": 0,
}
RESYNC: dict[str, Any] = {
    "id": "7",
    "connection": "main",
    "status": "running",
    "dry_run": False,
    "issues_total": 10,
    "issues_done": 4,
    "created": 1,
    "removed": 0,
    "held": 0,
    "skipped": 0,
    "failed": 0,
    "plan_id": None,
}
