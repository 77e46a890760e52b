"""Handing notices to custodians: the witnesses, each of which signs that it holds its part durably."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING

import httpx
import structlog
from google.protobuf.message import DecodeError

from concordat import v1
from concordat.clock import from_micros
from concordat.refusal import Refusal
from concordat.statements import digest_of, seal
from concordat.trust.envelope import open_envelope
from concordat.trust.errors import TrustError
from concordat.trust.keys import KeyRing
from concordat.v1 import Reason
from concordat.verify.case_custody import CUSTODIANS_NEEDED, make_deposits

if TYPE_CHECKING:
    from datetime import datetime

    from concordat.federation.anchors import Anchors
    from concordat.trust.keys import Signer
    from concordat.trust.note import VerifierKey
    from exchange.supervision.cases.table import Taken

_log = structlog.get_logger("concordat.cases")
_MAX_ANSWER = 16 * 1024


class CustodianError(Exception):
    """A custodian does not hold a deposit; the text says why."""


def _client() -> httpx.AsyncClient:
    return httpx.AsyncClient(headers={"accept-encoding": "identity"})


@dataclass(frozen=True, slots=True)
class Custodians:
    """The witnesses as (key, HTTP prefix); ``needed`` of them must hold a notice, two at least."""

    anchors: Anchors
    witnesses: Sequence[tuple[VerifierKey, str]]
    needed: int = CUSTODIANS_NEEDED
    seconds: float = 3.0
    client: Callable[[], httpx.AsyncClient] = field(default=_client)

    def require_enough(self) -> None:
        """Raise ``Refusal`` (REASON_NOTICE_NOT_HELD) where there are fewer custodians than are needed."""
        if len(self.witnesses) < max(self.needed, CUSTODIANS_NEEDED):
            raise _not_held(f"{len(self.witnesses)} custodians are configured")

    async def hold(
        self,
        notice: v1.Envelope,
        taken: Taken,
        signer: Signer,
        licence: v1.Envelope,
        at: datetime,
        seconds: float,
    ) -> list[v1.Envelope]:
        """Have the notice held; return the custodians' signed receipts, as many as are needed or more.

        What has not come in ``seconds``, or the settings' own limit, does not count. Raises ``Refusal``
        (REASON_NOTICE_NOT_HELD).
        """
        self.require_enough()
        deposits = make_deposits(
            notice,
            taken.subject_ref,
            [key.name for key, _ in self.witnesses],
            from_micros(taken.due_at),
            self.anchors.federation,
            at,
        )
        async with self.client() as client:
            answers = await asyncio.gather(
                *(
                    self._deposit(
                        client,
                        key,
                        url,
                        seal(deposit, signer),
                        licence,
                        at,
                        min(seconds, self.seconds),
                    )
                    for (key, url), deposit in zip(self.witnesses, deposits, strict=True)
                )
            )
        held = [answer for answer in answers if answer is not None]
        if len(held) < max(self.needed, CUSTODIANS_NEEDED):
            raise _not_held(f"{len(held)} of {len(self.witnesses)} custodians hold it")
        return held

    async def _deposit(
        self,
        client: httpx.AsyncClient,
        key: VerifierKey,
        url: str,
        deposit: v1.Envelope,
        licence: v1.Envelope,
        at: datetime,
        seconds: float,
    ) -> v1.Envelope | None:
        """Return a custodian's receipt; None where it does not hold the deposit, whatever the cause."""
        body = v1.KeepCustodyRequest(deposit=deposit, licence=licence).SerializeToString()
        try:
            async with asyncio.timeout(seconds):
                raw = await _post(client, f"{url.rstrip('/')}/custody", body, seconds)
            receipt = v1.Envelope.FromString(raw)
            _require_receipt(receipt, key, deposit, at)
        except (CustodianError, TrustError, DecodeError, httpx.HTTPError, TimeoutError) as error:
            _log.warning("notice_not_held", custodian=key.name, detail=str(error)[:200])
            return None
        return receipt


async def _post(client: httpx.AsyncClient, url: str, body: bytes, seconds: float) -> bytes:
    async with client.stream("POST", url, content=body, timeout=seconds) as answer:
        raw = b""
        async for part in answer.aiter_raw():
            raw += part
            if len(raw) > _MAX_ANSWER:
                raise CustodianError("its answer is too long")
        if answer.status_code != HTTPStatus.OK:
            raise CustodianError(f"it answered {answer.status_code}")
        return raw


def _require_receipt(
    receipt: v1.Envelope, key: VerifierKey, deposit: v1.Envelope, at: datetime
) -> None:
    said = open_envelope(receipt, v1.CustodyReceipt, KeyRing(key.public_key), at).message
    if said.deposit_digest != digest_of(deposit) or said.custodian != key.name:
        raise CustodianError("its receipt is for something else")


def _not_held(detail: str) -> Refusal:
    return Refusal(Reason.REASON_NOTICE_NOT_HELD, detail)
