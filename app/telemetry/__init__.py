"""What the service says about itself: logs without anybody's data, and metrics."""

from app.telemetry.logs import configure_logging, current_request_id, request_context
from app.telemetry.metrics import Metrics
from app.telemetry.redaction import redact, scrub

__all__ = [
    "Metrics",
    "configure_logging",
    "current_request_id",
    "redact",
    "request_context",
    "scrub",
]
