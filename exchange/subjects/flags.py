"""Freezes, fraud alerts and contacts: the subject's own switches, in force with the transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Connection, Table, delete, insert, select

from concordat import v1
from concordat.refusal import Refusal
from concordat.v1 import FlagKind, Reason
from exchange.lenders.listing_changes import thawed
from exchange.log import records
from exchange.log import table as log
from exchange.subjects.contact_table import subject_contact
from exchange.subjects.flag_table import NO_FLAGS, Flags, flags_of, subject_flag
from exchange.vault.sealing import seal

if TYPE_CHECKING:
    from datetime import datetime

    from concordat.trust.envelope import Verified


def change_flag(
    connection: Connection,
    change: Verified[v1.FlagChange],
    envelope: v1.Envelope,
    at: datetime,
) -> Flags:
    """Place or lift a flag; the same change again changes nothing. Raises ``Refusal`` for an older one."""
    said = change.message
    now = flags_of(connection, [said.subject_ref]).get(said.subject_ref, NO_FLAGS)
    if _again(said.sequence, change.digest, now.sequence, now.digest):
        return now
    freeze = said.kind == FlagKind.FLAG_KIND_FREEZE
    after = Flags(
        said.placed if freeze else now.frozen,
        now.fraud_alert if freeze else said.placed,
        said.sequence,
        change.digest,
    )
    _replace(
        connection,
        subject_flag,
        said.subject_ref,
        frozen=after.frozen,
        fraud_alert=after.fraud_alert,
        sequence=after.sequence,
        digest=after.digest,
        envelope=seal(connection, said.subject_ref, envelope.SerializeToString()),
    )
    log.enqueue(connection, [records.subject_act(said, change.digest, at)])
    if now.frozen and not after.frozen:
        thawed(connection, said.subject_ref, at)
    return after


def change_contact(
    connection: Connection,
    change: Verified[v1.ContactChange],
    envelope: v1.Envelope,
    at: datetime,
) -> None:
    """Keep where a subject wants its notices; the same again changes nothing. Raises ``Refusal``."""
    said = change.message
    row = connection.execute(
        select(subject_contact).where(subject_contact.c.subject_ref == said.subject_ref)
    ).first()
    known = (row.sequence, row.digest) if row else (0, b"")
    if _again(said.sequence, change.digest, *known):
        return
    _replace(
        connection,
        subject_contact,
        said.subject_ref,
        sequence=said.sequence,
        digest=change.digest,
        envelope=seal(connection, said.subject_ref, envelope.SerializeToString()),
    )
    log.enqueue(connection, [records.subject_act(said, change.digest, at)])


def _again(sequence: int, digest: bytes, known: int, known_digest: bytes) -> bool:
    """Tell whether a change was taken in already; raise where another with its sequence, or later, was."""
    if sequence > known:
        return False
    if sequence == known and digest == known_digest:
        return True
    raise Refusal(
        Reason.REASON_REPLAYED_WITH_OTHER_BYTES, f"change {known} of this subject is on record"
    )


def _replace(connection: Connection, table: Table, subject_ref: bytes, **values: object) -> None:
    connection.execute(delete(table).where(table.c.subject_ref == subject_ref))
    connection.execute(insert(table).values(subject_ref=subject_ref, **values))
