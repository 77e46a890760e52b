"""A lender's duties and subscriptions at an exchange in one process.

desk = DutyDesk()
access = desk.access()                          # a view was released: its receipt's access id and digest
desk.report(desk.outcome(access))                 # what became of each, "" or a reason
changes, cursor = desk.changes(cursor=0)        # what a lender is told, up to now
"""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from concordat import v1
from concordat.clock import to_micros, to_timestamp
from concordat.ids import new_id
from concordat.refusal import Refusal
from concordat.statements import digest_of, seal
from concordat.v1 import LenderChangeKind, OutcomeKind, Reason, Role
from exchange.housekeeping import tidy
from exchange.lenders import duties
from exchange.lenders.outcome_table import counts_by_lender
from tests.builders import DAY, LENDER, Subject, signer
from tests.exchange_services import NO_CONTEXT
from tests.listing_desk import ListingDesk

OTHER_LENDER = "quickcash"
GRANTED = OutcomeKind.OUTCOME_KIND_GRANTED
NOT_GRANTED = OutcomeKind.OUTCOME_KIND_NOT_GRANTED


@dataclass(frozen=True)
class Access:
    """An access under which a view went out."""

    subject_ref: bytes
    access_id: bytes
    digest: bytes


class DutyDesk(ListingDesk):
    """As ``ListingDesk``, with two lenders that tell what came of accesses, and watch."""

    def __init__(self) -> None:
        super().__init__()
        self.enrol(OTHER_LENDER, Role.ROLE_LENDER)

    def access(self, person: Subject | None = None, **fields: Any) -> Access:
        """Return an access under which a view went out."""
        at = self.federation.at
        given = {"valid_from": to_timestamp(at), "valid_until": to_timestamp(at + timedelta(7))}
        granted = self.desk.grant(person or self.subject, **(given | fields))
        response = self.desk.ask(granted)
        if isinstance(response, Refusal):
            raise response
        view = v1.View.FromString(response.view.payload)
        return Access(view.subject_ref, view.receipt.access_id, digest_of(response.view))

    def outcome(self, access: Access, /, signed_by: str = LENDER, **fields: Any) -> v1.Envelope:
        """Return what a lender says came of an access: granted, now."""
        given: dict[str, Any] = {
            "event_id": new_id(),
            "federation": self.federation.name,
            "lender": signed_by,
            "access_id": access.access_id,
            "subject_ref": access.subject_ref,
            "answer_digest": access.digest,
            "outcome": GRANTED,
            "decided_at": to_timestamp(self.federation.at),
            "sequence": 1,
        }
        return seal(v1.OutcomeEvent(**(given | fields)), signer(signed_by))

    def report(self, *events: v1.Envelope, lender: str = LENDER) -> list[str]:
        """Report events in one call; return the reason of each, empty where it was taken in."""
        request = v1.ReportOutcomesRequest(events=events)
        results = self.call(self.lenders.ReportOutcomes, request, lender).results
        return [
            Reason.Name(each.refusal.reason).removeprefix("REASON_")
            if each.HasField("refusal")
            else ""
            for each in results
        ]

    def due(self, lender: str = LENDER) -> list[bytes]:
        """Return the access ids whose outcome a lender is reminded of."""
        found: list[bytes] = []
        after = b""
        while True:
            request = v1.ListOutcomesDueRequest(after=after)
            page = self.call(self.lenders.ListOutcomesDue, request, lender)
            found += [each.access_id for each in page.due]
            if not (after := page.next):
                return found

    def overdue(self) -> dict[str, tuple[int, int]]:
        """Return how many outcomes are due by now, and missing, of all that is counted for the regulator."""
        rows = self._counted(self.federation.at - duties.TERM)
        return {
            row.lender: (int(row.due), duties.missing_of(row.due, row.told))
            for row in rows
            if row.due
        }

    def unreviewed(self) -> dict[str, int]:
        """Return the flagged refusals that are counted for the regulator now."""
        rows = self._counted(self.federation.at + DAY)
        return {row.lender: int(row.unreviewed) for row in rows if row.unreviewed > 0}

    def _counted(self, until: datetime) -> list[Any]:
        since, end = (
            duties.day_of(to_micros(at)) for at in (self.federation.at - duties.KEEP, until)
        )
        return self.desk.store.run(lambda c: list(counts_by_lender(c, since, end)))

    def outcomes(self, person: Subject | None = None) -> list[duties.OutcomeOfAccess]:
        """Return what the subject is told of outcomes."""
        ref = (person or self.subject).ref
        return self.desk.store.run(lambda c: duties.outcomes_of(c, ref))

    def tidy(self) -> None:
        """Do what the exchange does every few seconds."""
        at = self.federation.at
        self.desk.store.run(lambda c: tidy(c, at))

    def changes(self, cursor: int = 0, lender: str = LENDER) -> tuple[list[v1.LenderChange], int]:
        """Return what a lender is told now after a cursor, and the cursor after it."""

        async def told() -> tuple[list[v1.LenderChange], int]:
            self.let_in(lender)
            request = v1.WatchChangesRequest(cursor=cursor)
            stream = cast(
                "AsyncGenerator[v1.WatchChangesResponse, None]",
                self.lenders.WatchChanges(request, NO_CONTEXT),
            )
            found: list[v1.LenderChange] = []
            async for message in stream:
                found += message.changes
                if len(message.changes) < 100:
                    await stream.aclose()
                    return found, message.cursor
            return found, cursor

        return asyncio.run(told())

    def kinds(self, cursor: int = 0, lender: str = LENDER) -> list[str]:
        """Return the kinds of what a lender is told now, without reviews."""
        names = [kind_of(each) for each in self.changes(cursor, lender)[0]]
        return [name for name in names if name != "REVIEW_DUE"]


def kind_of(change: v1.LenderChange) -> str:
    """Return the name of a change's kind, without the prefix."""
    return LenderChangeKind.Name(change.kind).removeprefix("LENDER_CHANGE_KIND_")
