"""The directory of members and its table: what the exchange's stream brings, kept for a restart."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from concordat import v1
from concordat.federation.directory import MemberDirectory
from concordat.store.group_commit import GroupCommit
from concordat.store.members import MemberStatements
from registrar.schema import member_statement

_statements = MemberStatements(member_statement)


def load_members(connection: Connection, directory: MemberDirectory, at: datetime) -> None:
    """Verify everything stored and take it into ``directory``."""
    _statements.load(connection, directory, at)


class MemberRecords:
    """Stores statements that ``MemberWatch`` has verified."""

    def __init__(self, store: GroupCommit) -> None:
        """Write to ``store``."""
        self._store = store

    def keep(self, licences: Sequence[v1.Envelope], statuses: Sequence[v1.Envelope]) -> None:
        """Store the statements, unless later ones are there."""
        self._store.run(lambda connection: _statements.keep(connection, licences, statuses))
