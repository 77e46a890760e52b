"""What subjects told this provider: the latest event of each consent, the newest binding seen."""

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, and_, bindparam, select

from concordat import v1
from provider.store.bulk import Lookup, among
from provider.store.upsert import insert_into
from provider.tables import BINDING, CONSENT_EVENT


def events(connection: Connection, subject_refs: Sequence[bytes]) -> dict[tuple[bytes, bytes], int]:
    """Return the kind of each consent's latest event, if any, by (subject_ref, consent_id)."""
    rows = _EVENTS.run(connection, subject_refs)
    return {(ref, consent_id): kind for ref, consent_id, kind in rows}


def put_event(connection: Connection, event: v1.ConsentEvent, envelope: v1.Envelope) -> int:
    """Keep an event if its sequence is the highest and no revocation stands.

    Returns the sequence of the latest event held.
    """
    statement = insert_into(CONSENT_EVENT, connection.dialect.name).values(
        subject_ref=event.subject_ref,
        consent_id=event.consent_id,
        sequence=event.sequence,
        kind=event.kind,
        envelope=envelope.SerializeToString(),
    )
    new = statement.excluded
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["subject_ref", "consent_id"],
            set_={"sequence": new.sequence, "kind": new.kind, "envelope": new.envelope},
            where=and_(
                CONSENT_EVENT.c.sequence < new.sequence,
                CONSENT_EVENT.c.kind != v1.ConsentEventKind.CONSENT_EVENT_KIND_REVOKE,
            ),
        )
    )
    key = {"subject_ref": event.subject_ref, "consent_id": event.consent_id}
    return int(connection.execute(_SEQUENCE, key).scalar_one())


def newest_bindings(connection: Connection, subject_refs: Sequence[bytes]) -> dict[bytes, int]:
    """Return the newest binding version seen of each subject, where it is above 1."""
    rows = _BINDINGS.run(connection, subject_refs)
    return {row.subject_ref: row.version for row in rows}


def put_bindings(connection: Connection, versions: Mapping[bytes, int]) -> None:
    """Remember binding versions; a lower one than is known changes nothing."""
    if not versions:
        return
    statement = insert_into(BINDING, connection.dialect.name)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["subject_ref"],
            set_={"version": statement.excluded.version},
            where=BINDING.c.version < statement.excluded.version,
        ),
        [{"subject_ref": ref, "version": version} for ref, version in versions.items()],
    )


_EVENTS = Lookup(
    lambda size: select(
        CONSENT_EVENT.c.subject_ref, CONSENT_EVENT.c.consent_id, CONSENT_EVENT.c.kind
    ).where(among(CONSENT_EVENT.c.subject_ref, size))
)
_BINDINGS = Lookup(
    lambda size: select(BINDING.c.subject_ref, BINDING.c.version).where(
        among(BINDING.c.subject_ref, size)
    )
)
_SEQUENCE = select(CONSENT_EVENT.c.sequence).where(
    and_(
        CONSENT_EVENT.c.subject_ref == bindparam("subject_ref"),
        CONSENT_EVENT.c.consent_id == bindparam("consent_id"),
    )
)
