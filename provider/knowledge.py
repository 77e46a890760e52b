"""What this provider knows by itself about a batch of requests, read in a few bulk queries."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection

from provider.guard import Checked, Known
from provider.store import consents, journal

ConsentKey = tuple[bytes, bytes]


def gather(
    connection: Connection, checked: Sequence[Checked], at: datetime
) -> dict[ConsentKey, Known]:
    """Return what is known about each consent, by (subject_ref, consent_id).

    Four queries, and one more for each length of period, whatever the number of requests.
    """
    if not checked:
        return {}
    refs = list({item.subject_ref for item in checked})
    request_ids = list({item.request.message.request_id for item in checked})
    events = consents.events(connection, refs)
    bindings = consents.newest_bindings(connection, refs)
    answered = journal.answered(connection, refs, request_ids)
    used = journal.uses(connection, refs)
    known: dict[ConsentKey, Known] = {}
    for item in checked:
        key = item.consent_key
        if key not in known:
            known[key] = Known(
                event_kind=events.get(key, 0),
                binding_version=bindings.get(item.subject_ref, 1),
                uses=used.get(key, (0, 0))[0],
            )
        request_id = item.request.message.request_id
        digest = answered.get((item.subject_ref, request_id))
        if digest is not None:
            known[key].answered[request_id] = digest
    _add_periods(connection, checked, known, at)
    return known


def _add_periods(
    connection: Connection,
    checked: Sequence[Checked],
    known: dict[ConsentKey, Known],
    at: datetime,
) -> None:
    """Count the uses within each periodic consent's own window."""
    by_period: dict[timedelta, list[Checked]] = {}
    for item in checked:
        if item.period is not None and known[item.consent_key].uses:
            by_period.setdefault(item.period, []).append(item)
    for period, items in by_period.items():
        refs = list({item.subject_ref for item in items})
        used = journal.uses(connection, refs, since=at - period)
        for item in items:
            knowledge = known[item.consent_key]
            knowledge.uses_in_period, knowledge.oldest_in_period = used.get(
                item.consent_key, (0, 0)
            )
