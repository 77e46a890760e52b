"""Every table of the exchange, imported in one place so that migrations and tests see them all."""

from exchange.consents.table import consent, consent_event, subject_binding
from exchange.log.table import log_opening, log_queue, log_state, log_tile
from exchange.schema import clock_mark, member_statement, metadata
from exchange.views.table import access_entry, request_seen

__all__ = [
    "access_entry",
    "clock_mark",
    "consent",
    "consent_event",
    "log_opening",
    "log_queue",
    "log_state",
    "log_tile",
    "member_statement",
    "metadata",
    "request_seen",
    "subject_binding",
]
