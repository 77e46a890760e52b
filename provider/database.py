"""Opening the node's own database, one process at a time."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from sqlalchemy import Connection, Engine

from concordat import v1
from concordat.clock import Clock
from concordat.federation.anchors import Anchors
from concordat.federation.directory import MemberDirectory
from concordat.store.engine import open_engine, require_current
from concordat.store.exclusive import only_process
from concordat.store.members import MemberStatements
from provider.migrations import SCRIPTS
from provider.store import clock_mark
from provider.tables import MEMBER_STATEMENT

STATEMENTS = MemberStatements(MEMBER_STATEMENT)


@contextmanager
def own_database(url: str, *, migrated: bool = True) -> Iterator[Engine]:
    """Open the node's database for this process alone; raise ``StoreError`` if that can't be.

    SQLite is held by a lock file beside it (``only_process``); PostgreSQL is shared.
    """
    with only_process(url):
        engine = open_engine(url)
        try:
            if migrated:
                require_current(engine, SCRIPTS)
            yield engine
        finally:
            engine.dispose()


def start_clock(connection: Connection) -> Clock:
    """Return a clock that starts no earlier than the latest time on record."""
    return Clock(floor=clock_mark.read(connection))


def load_directory(connection: Connection, anchors: Anchors, at: datetime) -> MemberDirectory:
    """Return the members as known when the node last ran; raise ``Refusal`` if tampered with."""
    directory = MemberDirectory(anchors)
    STATEMENTS.load(connection, directory, at)
    return directory


def keep_members(
    connection: Connection, licences: Sequence[v1.Envelope], statuses: Sequence[v1.Envelope]
) -> None:
    """Store verified member statements, so that a restart forgets no suspension."""
    STATEMENTS.keep(connection, licences, statuses)
