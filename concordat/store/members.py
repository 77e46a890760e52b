"""The member statements that a process keeps, so that a restart forgets no suspension."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Column, Connection, Integer, LargeBinary, MetaData, String, Table, select
from sqlalchemy.dialects import postgresql, sqlite

from concordat import v1
from concordat.federation.directory import MemberDirectory

LICENCE, STATUS = "licence", "status"


def member_statement_table(metadata: MetaData) -> Table:
    """Declare the table in a process's own metadata: the latest statement of each kind for each member."""
    return Table(
        "member_statement",
        metadata,
        Column("member_id", String(64), primary_key=True),
        Column("kind", String(16), primary_key=True),
        Column("rank", Integer, nullable=False),  # licence version or status sequence
        Column("envelope", LargeBinary, nullable=False),
    )


class MemberStatements:
    """Reads and writes that table."""

    def __init__(self, table: Table) -> None:
        """Work on ``table``."""
        self._table = table

    def put(
        self, connection: Connection, kind: str, member_id: str, rank: int, envelope: v1.Envelope
    ) -> bool:
        """Keep a statement unless one of the same or a higher rank is there; tell whether it was kept."""
        table = self._table
        dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
        statement = dialect.insert(table).values(
            member_id=member_id, kind=kind, rank=rank, envelope=envelope.SerializeToString()
        )
        unless_later = statement.on_conflict_do_update(
            index_elements=[table.c.member_id, table.c.kind],
            set_={"rank": statement.excluded.rank, "envelope": statement.excluded.envelope},
            where=table.c.rank < statement.excluded.rank,
        )
        # Not by the count of rows: of an INSERT, SQLAlchemy does not keep it with every driver.
        return connection.execute(unless_later.returning(table.c.rank)).first() is not None

    def all(self, connection: Connection, kind: str) -> list[v1.Envelope]:
        """Return every statement of a kind, by member id."""
        table = self._table
        rows = connection.execute(
            select(table.c.envelope).where(table.c.kind == kind).order_by(table.c.member_id)
        )
        return [v1.Envelope.FromString(row.envelope) for row in rows]

    def keep(
        self,
        connection: Connection,
        licences: Sequence[v1.Envelope],
        statuses: Sequence[v1.Envelope],
    ) -> None:
        """Keep verified statements, each unless a later one is there."""
        for envelope in licences:
            licence = v1.Licence.FromString(envelope.payload)
            self.put(connection, LICENCE, licence.member_id, licence.version, envelope)
        for envelope in statuses:
            status = v1.LicenceStatus.FromString(envelope.payload)
            self.put(connection, STATUS, status.member_id, status.sequence, envelope)

    def load(self, connection: Connection, directory: MemberDirectory, at: datetime) -> None:
        """Verify everything kept and take it into ``directory``; raise ``Refusal`` if tampered with."""
        directory.take(self.all(connection, LICENCE), self.all(connection, STATUS), at)
