"""The log as an outsider reads it: signature, age, quorum, what it says of itself, what witnesses hold."""

from datetime import UTC, datetime

import httpx

from clients.auditor.entries import check_log_entry
from clients.auditor.errors import AuditorError, Contradiction, LogUnreadable
from clients.auditor.growth import check_growth
from clients.auditor.policy import LogTrust
from clients.auditor.prove import prove
from clients.auditor.source import LogSource, open_source
from clients.auditor.watch import Peer
from clients.doctor import rules_log
from clients.doctor.finding import Finding, fail, ok, warn
from concordat.trust.checkpoint import SignedCheckpoint

_SECONDS = 5.0
_KEEP = "run concordat log watch --once --peer on it, which keeps the evidence; tell the regulators at once"


def probe(url: str, trust: LogTrust, now: datetime) -> list[Finding]:
    """Judge the checkpoint, the last entry and the cosignatures; raise ``LogWrong`` where the log is wrong."""
    try:
        with open_source(url) as source:
            checkpoint = trust.without_quorum().open(source.checkpoint())
            last_at = _last_entry(source, trust.without_quorum(), checkpoint)
    except LogUnreadable as error:
        advice = "see that the exchange serves its log there, and that nothing is between"
        return [fail("log", f"{url} cannot be read: {error}", advice)]
    cosigned = len(checkpoint.cosignatures)
    return [
        rules_log.freshness(checkpoint.size, last_at, now),
        rules_log.quorum(cosigned, len(trust.witnesses), trust.quorum),
    ]


def _last_entry(
    source: LogSource, trust: LogTrust, checkpoint: SignedCheckpoint
) -> datetime | None:
    """Return when the last entry was made, proven to be in the log; None for an empty one."""
    if not checkpoint.size:
        return None
    entry = prove(source, trust, checkpoint.size - 1, checkpoint).entry
    return datetime.fromtimestamp(check_log_entry(entry).at / 1e9, UTC)


def health(url: str) -> list[Finding]:
    """Judge what the exchange tells at ``/health``; a file server that serves a copy tells nothing."""
    try:
        told = httpx.get(f"{url.rstrip('/')}/health", timeout=_SECONDS)
        content = told.json() if told.status_code == httpx.codes.OK else None
    except (httpx.HTTPError, ValueError):
        content = None
    if not isinstance(content, dict):
        return []
    return [rules_log.health(content)]


def witness(url: str, log_url: str, trust: LogTrust) -> list[Finding]:
    """Judge whether a witness at the prefix ``url`` holds the same log as is served."""
    check = f"witness {url}"
    known = trust.without_quorum()
    try:
        theirs = known.open(Peer(url.rstrip("/") + "/").note(trust.log.name))
        with open_source(log_url) as source:
            ours = known.open(source.checkpoint())
            older, newer = sorted((ours, theirs), key=lambda each: each.size)
            check_growth(older, newer, source)
    except Contradiction as error:
        return [fail(check, str(error), _KEEP)]
    except AuditorError as error:
        advice = "start it, or mend the way to it; too few witnesses stop the exchange"
        return [warn(check, str(error), advice)]
    behind = ours.size - theirs.size
    return [ok(check, "the same log" + (f", {behind:,} entries behind" if behind > 0 else ""))]
