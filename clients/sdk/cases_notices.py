"""A subject's notices of case look-ups: read from the exchange's inbox, and evidence where it withholds one."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from clients.sdk.accesses import AccessList
from clients.sdk.cases_custody import Collected, CollectedNotice
from clients.sdk.wallet_atomically import write_atomically
from clients.sdk.wallet_file import new_evidence_folder
from concordat import v1
from concordat.federation.anchors import Anchors
from concordat.federation.directory import Member
from concordat.refusal import Refusal
from concordat.v1 import InboxKind
from concordat.verify.case_notice import open_case_notice


def read_notices(
    messages: Iterable[v1.InboxMessage], exchange: Member, anchors: Anchors, subject_ref: bytes
) -> Collected:
    """Return the notices in an inbox, each verified against the log; what does not hold is a fault."""
    read = Collected()
    for message in messages:
        if message.kind != InboxKind.INBOX_KIND_CASE_NOTICE:
            continue
        if not message.HasField("case_notice"):
            read.faults.append(
                "the exchange sent a notice without the statement that opens its entry"
            )
            continue
        try:
            notice, logged = open_case_notice(message.case_notice, exchange, anchors, subject_ref)
        except Refusal as refusal:
            read.faults.append(f"a notice of the exchange: {refusal}")
            continue
        read.notices.append(CollectedNotice(notice.message, message.case_notice, logged))
    return read


def keep_withheld(folder: Path, withheld: Sequence[CollectedNotice], listed: AccessList) -> Path:
    """Write what proves that the exchange withheld notices into a wallet's folder; return where.

    Each notice as the exchange signed it for custody, the custodians' deposits, and the exchange's own signed list
    of all entries about the subject, in which it does not stand. Raises ``WalletError``.
    """
    place = new_evidence_folder(folder)
    write_atomically(place / "access-history.env", listed.history.SerializeToString())
    write_atomically(place / "checkpoint", listed.checkpoint.note)
    for count, each in enumerate(withheld, 1):
        write_atomically(place / f"notice-{count}.env", each.envelope.SerializeToString())
        for custodian, deposit in enumerate(each.deposits, 1):
            name = f"notice-{count}-custodian-{custodian}.deposit"
            write_atomically(place / name, deposit.SerializeToString())
    return place
