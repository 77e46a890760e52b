"""What moved a listing: the signed statement, and who signed it."""

from dataclasses import dataclass

from google.protobuf.message import Message

from concordat import v1
from concordat.v1 import ListingAction, ListingActKind


@dataclass(frozen=True, slots=True)
class Cause:
    """A statement that moved a listing. One of the exchange's own is signed when it is written."""

    kind: ListingActKind.ValueType
    actor: str  # member id; empty for the subject
    statement_id: bytes
    statement: Message
    digest: bytes = b""
    envelope: bytes = b""
    action: ListingAction.ValueType = ListingAction.LISTING_ACTION_UNSPECIFIED

    @classmethod
    def filing(
        cls, filing: v1.ListingFiling, digest: bytes, envelope: v1.Envelope, *, joined: bool
    ) -> "Cause":
        """A ListingFiling."""
        kind = ListingActKind.LISTING_ACT_KIND_FILED
        if joined:
            kind = ListingActKind.LISTING_ACT_KIND_JOINED
        return cls(
            kind, filing.source, filing.filing_id, filing, digest, envelope.SerializeToString()
        )

    @classmethod
    def event(
        cls, event: v1.ListingEvent, digest: bytes = b"", envelope: v1.Envelope | None = None
    ) -> "Cause":
        """A ListingEvent; the exchange's own comes without an envelope."""
        return cls(
            ListingActKind.LISTING_ACT_KIND_EVENT,
            event.actor,
            event.event_id,
            event,
            digest,
            envelope.SerializeToString() if envelope is not None else b"",
            event.action,
        )

    @classmethod
    def dispute(cls, dispute: v1.Dispute, digest: bytes, envelope: v1.Envelope) -> "Cause":
        """A Dispute."""
        kind = ListingActKind.LISTING_ACT_KIND_DISPUTED
        return cls(kind, "", dispute.dispute_id, dispute, digest, envelope.SerializeToString())

    @classmethod
    def ruling(cls, ruling: v1.Ruling, digest: bytes, envelope: v1.Envelope) -> "Cause":
        """A Ruling."""
        kind = ListingActKind.LISTING_ACT_KIND_RULED
        return cls(
            kind, ruling.reviewer, ruling.ruling_id, ruling, digest, envelope.SerializeToString()
        )
