"""The directory and its table, held together: in one process and across several."""

from datetime import datetime

from sqlalchemy import Connection

from concordat import v1
from concordat.clock import Clock
from concordat.federation.calibrations import OpenedCalibration
from concordat.federation.directory import MemberDirectory, open_licence, open_status
from concordat.refusal import Refusal
from concordat.statements import digest_of
from concordat.store.group_commit import GroupCommit
from concordat.store.members import LICENCE, STATUS, MemberStatements
from concordat.v1 import Reason
from exchange.log import records
from exchange.log import table as log
from exchange.members import calibration_table
from exchange.repeating import repeat
from exchange.schema import member_statement

_statements = MemberStatements(member_statement)

# How often another process's additions are looked for; a suspension must hold everywhere within 1 s.
SYNC_SECONDS = 0.3


def load(connection: Connection, directory: MemberDirectory, at: datetime) -> None:
    """Take everything stored into ``directory``."""
    _statements.load(connection, directory, at)
    directory.take([], [], at, calibration_table.read_calibrations(connection))


def keep_licence(
    connection: Connection, licence: v1.Licence, envelope: v1.Envelope, at: datetime
) -> None:
    """Store a verified licence and log it, unless it is there."""
    if _statements.put(connection, LICENCE, licence.member_id, licence.version, envelope):
        log.enqueue(connection, [records.member_act(licence, digest_of(envelope), at)])


def keep_status(
    connection: Connection, status: v1.LicenceStatus, envelope: v1.Envelope, at: datetime
) -> None:
    """Store a verified status and log it, unless it is there."""
    if _statements.put(connection, STATUS, status.member_id, status.sequence, envelope):
        log.enqueue(connection, [records.member_act(status, digest_of(envelope), at)])


def keep_calibration(connection: Connection, opened: OpenedCalibration, at: datetime) -> None:
    """Store a verified calibration and log it, unless it is there.

    Raises ``Refusal`` (REASON_CALIBRATION_SUPERSEDED) where another of its version is.
    """
    if calibration_table.put(connection, opened.version, opened.digest, opened.envelope):
        log.enqueue(connection, [records.calibration_act(opened.message, opened.digest, at)])
    elif calibration_table.digest_at(connection, opened.version) != opened.digest:
        raise Refusal(
            Reason.REASON_CALIBRATION_SUPERSEDED, f"another of version {opened.version} is stored"
        )


class MemberKeeper:
    """Adds licences, statuses and calibrations durably, and notices what other processes added.

    A statement is in force here as soon as it verified, and durable when the caller hears of it; if
    storing fails the caller is told, and submitting it again stores it.
    """

    def __init__(self, directory: MemberDirectory, store: GroupCommit, clock: Clock) -> None:
        """Hold ``directory`` and ``store`` together."""
        self.directory = directory
        self._store = store
        self._clock = clock
        self._seen: set[bytes] = set()  # payloads taken from the table
        self._passed_over: set[int] = (
            set()
        )  # versions of calibrations that do not count by the members known

    async def add_licence(self, envelope: v1.Envelope, at: datetime) -> None:
        """Use and store a licence; raise ``Refusal`` if it does not verify or is superseded."""
        self.directory.add_licence(envelope, at)
        licence = open_licence(envelope, self.directory.anchors, at).licence
        await self._store.arun(lambda connection: keep_licence(connection, licence, envelope, at))

    async def add_status(self, envelope: v1.Envelope, at: datetime) -> None:
        """Use and store a status; raise ``Refusal`` if it does not verify or is superseded."""
        self.directory.add_status(envelope, at)
        status = open_status(envelope, self.directory.anchors, at).message
        await self._store.arun(lambda connection: keep_status(connection, status, envelope, at))

    async def add_calibration(self, envelope: v1.Envelope, at: datetime) -> None:
        """Store and use a calibration; raise ``Refusal`` if it does not verify or its version is taken.

        It is stored first: which of two of one version counts is the same in all processes.
        """
        opened = self.directory.open_calibration(envelope, at)
        await self._store.arun(lambda connection: keep_calibration(connection, opened, at))
        self.directory.add_calibration(envelope, at)

    async def follow(self) -> None:
        """Keep up with what other processes store, until cancelled."""
        await repeat("members", SYNC_SECONDS, self._sync)

    async def _sync(self) -> None:
        licences, statuses, calibrations = await self._store.arun(self._stored)
        fresh, now = self._unseen(licences), self._clock.now()
        self.directory.take(fresh, self._unseen(statuses), now, calibrations)
        self._pass_over(calibrations, renewed=bool(fresh))

    def _stored(
        self, connection: Connection
    ) -> tuple[list[v1.Envelope], list[v1.Envelope], list[v1.Envelope]]:
        """Return all licences and statuses, and what is new of the calibrations."""
        known = {opened.version for opened in self.directory.calibrations()} | self._passed_over
        return (
            _statements.all(connection, LICENCE),
            _statements.all(connection, STATUS),
            calibration_table.read_calibrations(connection, known),
        )

    def _pass_over(self, calibrations: list[v1.Envelope], *, renewed: bool) -> None:
        """Read no calibration again that did not count, until a licence is new: each is up to 256 KiB."""
        if renewed:
            self._passed_over.clear()
        else:
            read = (v1.Calibration.FromString(envelope.payload) for envelope in calibrations)
            self._passed_over.update(calibration.version for calibration in read)

    def _unseen(self, envelopes: list[v1.Envelope]) -> list[v1.Envelope]:
        fresh = [envelope for envelope in envelopes if envelope.payload not in self._seen]
        self._seen.update(envelope.payload for envelope in fresh)
        return fresh
