"""The witness proper: checks a checkpoint, remembers it for good, and only then cosigns it.

The check against the latest checkpoint, its replacement and the cosignature are one transaction, and no
cosignature leaves before that is durable. So whatever dies when, the cosignatures that were given out
about a log form one line of trees, each an extension of the one before, at times that never decrease.

That holds as long as the database does. A witness whose database was restored from an older copy is a
witness that has forgotten: it answers 409 with the size that it remembers, and would follow a fork from
there. It cannot notice; the log can, because a witness that cosigned 120 does not honestly answer 90.
Whoever sees that must stop counting the witness until its operator has explained it.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from http import HTTPStatus

import structlog
from sqlalchemy import Connection

from concordat.clock import Clock
from concordat.store.group_commit import GroupCommit
from concordat.telemetry.metrics import CONFLICTS, COSIGNED, WITNESS_REFUSALS
from concordat.trust.checkpoint import Checkpoint, cosign_checkpoint, open_checkpoint
from concordat.trust.errors import MalformedNoteError, SignatureInvalidError
from concordat.trust.keys import Signer
from concordat.trust.note import SignedNote, VerifierKey
from concordat.trust.witness_request import AddCheckpoint
from witness.records import Evidence, evidence_about, keep_evidence, keep_latest, latest_of
from witness.rules import Kept, RefusedError, require_extension

_log = structlog.get_logger("concordat.witness")


@dataclass(frozen=True, slots=True)
class _Offered:
    """A checkpoint that its log signed; ``note`` holds the log's signatures and nobody else's."""

    checkpoint: Checkpoint
    note: SignedNote


@dataclass(frozen=True, slots=True)
class _Denied:
    """A refusal, and the evidence that was kept because of it, if it is new."""

    refusal: RefusedError
    evidence: Evidence | None


class Cosigner:
    """A witness of some logs, under one name and one key."""

    def __init__(
        self,
        name: str,
        signer: Signer,
        logs: Iterable[VerifierKey],
        store: GroupCommit,
        clock: Clock,
    ) -> None:
        """Witness ``logs``; a log that changes its key has one entry for each, of the same name."""
        self._name = name
        self._signer = signer
        self._store = store
        self._clock = clock
        self._logs: dict[str, list[VerifierKey]] = {}
        for key in logs:
            self._logs.setdefault(key.name, []).append(key)
        self._origins = {
            hashlib.sha256(origin.encode()).hexdigest(): origin for origin in self._logs
        }

    async def add_checkpoint(self, body: bytes) -> bytes:
        """Answer an add-checkpoint request with a signature line; raise ``RefusedError`` if it is refused.

        Raises ``Refusal`` (REASON_UNAVAILABLE) where the database fails; asking again is safe.
        """
        now = self._clock.now()
        try:
            request = AddCheckpoint.parse(body)
            offered = self._open(request.note)
        except MalformedNoteError as error:
            raise RefusedError(HTTPStatus.BAD_REQUEST, str(error)) from error
        outcome = await self._store.arun(partial(self._cosign, request, offered, now))
        checkpoint = offered.checkpoint
        if isinstance(outcome, _Denied):
            _tell(checkpoint, outcome)
            WITNESS_REFUSALS.add(str(outcome.refusal.status.value))
            raise outcome.refusal
        COSIGNED.set(checkpoint.size, checkpoint.origin)
        _log.info(
            "cosigned",
            origin=checkpoint.origin,
            size=checkpoint.size,
            grown=checkpoint.size - request.old_size,
        )
        return outcome

    async def latest(self, origin_hash: str) -> bytes | None:
        """Return the latest checkpoint with the log's signature and this witness's cosignature.

        ``origin_hash`` is SHA-256 of the origin in lower-case hex. None if the log is unknown, or nothing
        of it was cosigned.
        """
        origin = self._origins.get(origin_hash)
        if origin is None:
            return None
        kept = await self._store.arun(partial(latest_of, origin=origin))
        return None if kept.note is None else kept.note + kept.cosignature

    async def evidence(self, origin_hash: str) -> list[Evidence] | None:
        """Return what was kept against a log, oldest first; None if the log is unknown."""
        origin = self._origins.get(origin_hash)
        if origin is None:
            return None
        return await self._store.arun(partial(evidence_about, origin=origin))

    async def require_store(self) -> None:
        """Raise ``Refusal`` unless the database answers."""
        await self._store.arun(partial(latest_of, origin=""))

    def _open(self, raw: bytes) -> _Offered:
        """Return a checkpoint that a log's key signed; raise ``RefusedError``, ``MalformedNoteError``.

        Signatures of others are dropped: they say nothing here, and would be handed on with the note.
        """
        note = SignedNote.parse(raw)
        checkpoint = Checkpoint.parse(note.text)
        keys = self._logs.get(checkpoint.origin)
        if keys is None:
            raise RefusedError(HTTPStatus.NOT_FOUND, "this witness does not know the log")
        signatures = []
        for key in keys:
            line = next(filter(key.made, note.signatures), None)
            if line is None:
                continue
            try:
                open_checkpoint(raw, key)
            except SignatureInvalidError as error:
                raise RefusedError(HTTPStatus.FORBIDDEN, str(error)) from error
            signatures.append(line)
        if not signatures:
            raise RefusedError(HTTPStatus.FORBIDDEN, "no signature is by a key of the log")
        return _Offered(checkpoint, SignedNote(note.text, tuple(signatures)))

    def _cosign(
        self, request: AddCheckpoint, offered: _Offered, now: datetime, connection: Connection
    ) -> bytes | _Denied:
        """Do what must be one transaction; what it returns may leave once that is durable."""
        checkpoint, note = offered.checkpoint, offered.note
        kept = latest_of(connection, checkpoint.origin, to_change=True)
        try:
            require_extension(kept, checkpoint, request.old_size, request.proof)
        except RefusedError as refusal:
            if refusal.suspicion is None:
                return _Denied(refusal, None)
            at = int(now.timestamp())
            found = Evidence(refusal.suspicion, kept.note, note.encode(), at)
            new = keep_evidence(connection, checkpoint.origin, found)
            return _Denied(refusal, found if new else None)
        # Another process of this witness may have a clock that is ahead.
        at = max(int(now.timestamp()), kept.cosigned_at)
        line = cosign_checkpoint(note.text, self._name, self._signer, at).line()
        latest = Kept(checkpoint.size, checkpoint.root, note.encode(), line, at)
        keep_latest(connection, checkpoint.origin, latest, before=kept)
        return line


def _tell(checkpoint: Checkpoint, denied: _Denied) -> None:
    """Write the log line that an operator's alarm counts: once for each piece of evidence."""
    found = denied.evidence
    if found is None:
        _log.info(
            "not_cosigned",
            origin=checkpoint.origin,
            size=checkpoint.size,
            status=denied.refusal.status.value,
            detail=str(denied.refusal),
        )
        return
    CONFLICTS.add()
    _log.error(
        "log_inconsistent",
        kind=found.kind.value,
        origin=checkpoint.origin,
        size=checkpoint.size,
        detail=str(denied.refusal),
        kept_note=(found.kept_note or b"").decode(),
        offered_note=found.offered_note.decode(),
    )
