"""Every calibration that was taken in: old ones are kept, so that views made by them stay checkable.

The table is about no subject: on a distributed database it stays on one node.
"""

from collections.abc import Collection

from sqlalchemy import BigInteger, Column, Connection, LargeBinary, Table, select
from sqlalchemy.dialects import postgresql, sqlite

from concordat import v1
from exchange.schema import metadata

calibration = Table(
    "calibration",
    metadata,
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    Column("digest", LargeBinary(32), nullable=False),
    Column("envelope", LargeBinary, nullable=False),
)

_CALIBRATION = calibration.c


def put(connection: Connection, version: int, digest: bytes, envelope: v1.Envelope) -> bool:
    """Keep a calibration unless one of its version is there; tell whether it was kept."""
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    statement = dialect.insert(calibration).values(
        version=version, digest=digest, envelope=envelope.SerializeToString()
    )
    unless_there = statement.on_conflict_do_nothing(index_elements=[_CALIBRATION.version])
    return connection.execute(unless_there.returning(_CALIBRATION.version)).first() is not None


def digest_at(connection: Connection, version: int) -> bytes:
    """Return the statement digest of the calibration of a version that is there."""
    query = select(_CALIBRATION.digest).where(_CALIBRATION.version == version)
    return bytes(connection.execute(query).scalar_one())


def read_calibrations(connection: Connection, known: Collection[int] = ()) -> list[v1.Envelope]:
    """Return all but those of the ``known`` versions, the lowest version first."""
    rows = connection.execute(
        select(_CALIBRATION.envelope)
        .where(_CALIBRATION.version.not_in(known))
        .order_by(_CALIBRATION.version)
    )
    return [v1.Envelope.FromString(row.envelope) for row in rows]
