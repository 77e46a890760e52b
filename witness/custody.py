"""Custody of deferred notices: a witness keeps its part of each, and gives it to the subject once it is due.

What it keeps it cannot read: the notice is encrypted, and any *two* custodians hold the key (see
``concordat.verify.case_custody``). It keeps only what the federation's exchange signed, gives nothing out before
``opens_at`` by its own clock, and then only to the subject, by a request that names this custodian.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from http import HTTPStatus
from typing import TypeVar

import structlog
from google.protobuf.message import DecodeError, Message
from sqlalchemy import Connection

from concordat import v1
from concordat.clock import Clock, from_timestamp, to_timestamp
from concordat.federation.anchors import Anchors
from concordat.federation.directory import require_in_force
from concordat.refusal import Refusal
from concordat.statements import seal
from concordat.store.group_commit import GroupCommit
from concordat.telemetry.metrics import DEPOSITS
from concordat.trust.envelope import Verified, validate
from concordat.trust.errors import StatementMalformedError
from concordat.trust.keys import Signer
from concordat.verify.case_custody import Held, custody_tag, open_deposit
from concordat.verify.consent import open_binding, open_subject_request
from witness import custody_records as records
from witness.custody_records import Deposit
from witness.rules import RefusedError

_log = structlog.get_logger("concordat.witness")

LONGEST = timedelta(days=181)
"""Before it opens: no notice is put off for longer than 180 days."""
KEPT_FOR = timedelta(days=400)
"""After it has opened."""
PAGE = 16
M = TypeVar("M", bound=Message)


@dataclass(frozen=True, slots=True)
class Custody:
    """A custodian under its witness's name and key."""

    name: str
    signer: Signer
    anchors: Anchors
    store: GroupCommit
    clock: Clock

    async def keep(self, body: bytes) -> bytes:
        """Keep a deposit for good and return the signed receipt; the same again returns the same receipt.

        Raises ``RefusedError``: 400 for what is malformed, 403 for what the exchange did not sign or is not for
        this custodian, 409 for another deposit of the same id.
        """
        now = self.clock.now()
        request = _parse(v1.KeepCustodyRequest, body)
        try:
            held = open_deposit(request, self.anchors, now, self.name)
            require_in_force(held.exchange, now)
        except Refusal as refusal:
            raise RefusedError(HTTPStatus.FORBIDDEN, str(refusal)) from refusal
        opens = from_timestamp(held.deposit.message.opens_at)
        if opens - now > LONGEST:
            raise RefusedError(HTTPStatus.FORBIDDEN, "no notice is put off for so long")
        kept = await self.store.arun(partial(self._keep, held, body, opens, now))
        if kept is None:
            raise RefusedError(HTTPStatus.CONFLICT, "another deposit of this id is kept")
        return kept

    def _keep(
        self, held: Held, body: bytes, opens: datetime, now: datetime, connection: Connection
    ) -> bytes | None:
        """Do what must be one transaction; the receipt may leave once that is durable."""
        deposit = held.deposit
        records.forget(connection, now - KEPT_FOR)
        known = records.find(connection, deposit.message.tag, deposit.message.deposit_id)
        if known is not None:
            return known.receipt if known.digest == deposit.digest else None
        receipt = seal(self._receipt(deposit, now), self.signer).SerializeToString()
        records.add(
            connection,
            Deposit(
                deposit.message.tag,
                deposit.message.deposit_id,
                deposit.digest,
                int(opens.timestamp()),
                body,
                receipt,
            ),
        )
        DEPOSITS.add()
        _log.info("notice_kept", opens_at=opens.isoformat())
        return receipt

    def _receipt(self, deposit: Verified[v1.CustodyDeposit], now: datetime) -> v1.CustodyReceipt:
        return v1.CustodyReceipt(
            federation=self.anchors.federation,
            custodian=self.name,
            deposit_digest=deposit.digest,
            kept_at=to_timestamp(now),
        )

    async def collect(self, body: bytes) -> bytes:
        """Return what has opened of a subject's deposits, a page at a time, as a CollectCustodyResponse.

        Raises ``RefusedError``: 400, or 403 for a request that is not the subject's own, fresh, to this custodian
        and under its latest binding seen here.
        """
        now = self.clock.now()
        request = _parse(v1.CollectCustodyRequest, body)
        try:
            binding = open_binding(request.binding, self.anchors, now)
            query = v1.SubjectQuery.SUBJECT_QUERY_CUSTODY
            asked = open_subject_request(request.request, query, binding, self.anchors, now).message
        except Refusal as refusal:
            raise RefusedError(HTTPStatus.FORBIDDEN, str(refusal)) from refusal
        if asked.custodian != self.name:
            raise RefusedError(HTTPStatus.FORBIDDEN, "the request is to another custodian")
        tag, version = custody_tag(asked.subject_ref), binding.message.version
        found = await self.store.arun(partial(_page, tag, version, request.after, now))
        if found is None:
            raise RefusedError(HTTPStatus.FORBIDDEN, "another key was bound to the subject since")
        return v1.CollectCustodyResponse(
            deposits=[v1.KeepCustodyRequest.FromString(each.raw) for each in found[:PAGE]],
            more=len(found) > PAGE,
        ).SerializeToString()


def _page(
    tag: bytes, version: int, after: bytes, now: datetime, connection: Connection
) -> list[Deposit] | None:
    """Return what has opened, one more than a page; None under a binding that another has replaced."""
    if not records.see_binding(connection, tag, version):
        return None
    return records.opened(connection, tag, after, int(now.timestamp()), PAGE + 1)


def _parse(kind: type[M], body: bytes) -> M:
    try:
        message = kind.FromString(body)
        validate(message)
    except (DecodeError, StatementMalformedError) as error:
        name = kind.DESCRIPTOR.name
        raise RefusedError(HTTPStatus.BAD_REQUEST, f"the body is no {name}") from error
    return message
