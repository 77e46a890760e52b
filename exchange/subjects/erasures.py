"""Erasure at the subject's request: verified, decided, done, told and logged in one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from concordat import v1
from concordat.clock import to_timestamp
from concordat.refusal import Refusal
from concordat.statements import seal
from concordat.v1 import Reason
from exchange.log import records
from exchange.log import table as log
from exchange.subjects import report_table
from exchange.subjects.erasing import erase_holdings
from exchange.subjects.erasure_holdings import Source, holdings_of
from exchange.subjects.erasure_rules import Periods, items_of

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from concordat.trust.envelope import Verified
    from concordat.trust.keys import Signer
    from exchange.listings.profile import Profiles
    from exchange.subjects.erasure_holdings import Holdings

_MOST_NAMES = 256


@dataclass(frozen=True, slots=True)
class Erasures:
    """Erases what can go, and signs what became of it."""

    federation: str
    exchange_id: str
    profiles: Profiles
    signer: Signer
    periods: Periods

    def erase(
        self, connection: Connection, asked: Verified[v1.ErasureRequest], at: datetime
    ) -> v1.Envelope:
        """Return the signed outcome; the same one for the same request. Raises ``Refusal``."""
        said = asked.message
        known = report_table.done(connection, said.subject_ref, said.request_id)
        if known is not None:
            if known[0] != asked.digest:
                raise Refusal(
                    Reason.REASON_REPLAYED_WITH_OTHER_BYTES, "another erasure has this id"
                )
            return v1.Envelope.FromString(known[1])
        source = Source(connection, self.profiles, said.subject_ref, self.periods, at)
        held = holdings_of(source)
        outcome = self._outcome(asked, held, at)
        if said.preview:
            return seal(outcome, self.signer)
        erase_holdings(connection, said.subject_ref, held, at)
        envelope = seal(outcome, self.signer)
        self._keep(connection, asked, envelope, held, at)
        return envelope

    def _outcome(
        self, asked: Verified[v1.ErasureRequest], held: Holdings, at: datetime
    ) -> v1.ErasureOutcome:
        names = sorted(held.ask_too - {self.exchange_id})
        return v1.ErasureOutcome(
            federation=self.federation,
            subject_ref=asked.message.subject_ref,
            request_digest=asked.digest,
            at=to_timestamp(at),
            preview=asked.message.preview,
            gone=items_of(held.verdicts, gone=True),
            kept=items_of(held.verdicts, gone=False),
            ask_too=names[:_MOST_NAMES],
        )

    def _keep(
        self,
        connection: Connection,
        asked: Verified[v1.ErasureRequest],
        envelope: v1.Envelope,
        held: Holdings,
        at: datetime,
    ) -> None:
        said = asked.message
        gone = sum(kept is None for _, kept in held.verdicts)
        left = len(held.verdicts) - gone
        draft = records.erasure_request(said.subject_ref, asked.digest, gone, left, at)
        log.enqueue(connection, [draft])
        report_table.keep_done(
            connection,
            said.subject_ref,
            said.request_id,
            asked.digest,
            envelope.SerializeToString(),
            at,
        )
