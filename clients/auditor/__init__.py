"""The auditor's side of the transparency log: read all of it, watch it, prove what is in it.

Nothing that a log serves is believed: its key, and its witnesses', come from elsewhere (``LogTrust``).
"""

from clients.auditor.audit import AuditOptions, AuditReport, audit
from clients.auditor.policy import LogTrust
from clients.auditor.prove import Proven, check_proof, find_record, prove
from clients.auditor.source import LogSource, open_source
from clients.auditor.watch import Peer, Seen, Watcher

__all__ = [
    "AuditOptions",
    "AuditReport",
    "LogSource",
    "LogTrust",
    "Peer",
    "Proven",
    "Seen",
    "Watcher",
    "audit",
    "check_proof",
    "find_record",
    "open_source",
    "prove",
]
