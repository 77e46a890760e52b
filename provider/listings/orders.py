"""What a command asks of whoever holds the database, and its form on disk: a JSON object a line.

An order carries the statement itself, not yet signed, and what the exchange is not told: the creditor and
the reference. It says nothing secret: of a debt only the commitment.
"""

import base64
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import DecodeError

from concordat import v1
from concordat.trust.envelope import parse_statement
from concordat.trust.errors import StatementMalformedError
from provider.store.listings import Key
from provider.store.mirror import Synced


class OrderMalformedError(Exception):
    """A file of orders is not what this version writes."""


@dataclass(frozen=True, slots=True)
class FilingOrder:
    """File a debt. ``filing.filing_id`` is used unless the debt has one already."""

    filing: v1.ListingFiling
    creditor: str
    reference: str


@dataclass(frozen=True, slots=True)
class EventOrder:
    """Say something of a listing; ``event.listing_id`` may be empty and is filled in once it is known."""

    filing_id: bytes
    event: v1.ListingEvent

    @property
    def key(self) -> Key:
        """The filing that it is of."""
        return self.event.subject_ref, self.filing_id


@dataclass(frozen=True, slots=True)
class AskOrder:
    """Ask the exchange where a listing stands now."""

    subject_ref: bytes
    filing_id: bytes


@dataclass(frozen=True, slots=True)
class SyncedOrder:
    """Put down that the exchange took a sync."""

    synced: Synced


Order = FilingOrder | EventOrder | AskOrder | SyncedOrder


def dump_orders(orders: Iterable[Order]) -> bytes:
    """Return orders as they lie in the spool."""
    return b"".join(json.dumps(_written(order)).encode() + b"\n" for order in orders)


def parse_orders(content: bytes) -> list[Order]:
    """Read orders; raise ``OrderMalformedError`` where one can't be, and then none is taken."""
    try:
        return [_read(json.loads(line)) for line in content.splitlines()]
    except (ValueError, KeyError, TypeError, DecodeError, StatementMalformedError) as error:
        raise OrderMalformedError(f"{type(error).__name__}: {error}") from error


def _written(order: Order) -> dict[str, object]:
    match order:
        case FilingOrder(filing, creditor, reference):
            return {
                "do": "file",
                "filing": _base64(filing.SerializeToString(deterministic=True)),
                "creditor": creditor,
                "reference": reference,
            }
        case EventOrder(filing_id, event):
            return {
                "do": "say",
                "filing_id": filing_id.hex(),
                "event": _base64(event.SerializeToString(deterministic=True)),
            }
        case AskOrder(subject_ref, filing_id):
            return {"do": "ask", "subject_ref": subject_ref.hex(), "filing_id": filing_id.hex()}
        case SyncedOrder(synced):
            return {"do": "synced", **synced._asdict()}


def _read(written: dict[str, Any]) -> Order:
    match written.pop("do"):
        case "file":
            payload = base64.b64decode(written["filing"], validate=True)
            filing = parse_statement(v1.ListingFiling, payload)
            return FilingOrder(filing, str(written["creditor"]), str(written["reference"]))
        case "say":
            payload = base64.b64decode(written["event"], validate=True)
            # Its bounds are checked once it is whole: the listing's id may still be missing.
            return EventOrder(
                bytes.fromhex(written["filing_id"]), v1.ListingEvent.FromString(payload)
            )
        case "ask":
            return AskOrder(
                bytes.fromhex(written["subject_ref"]), bytes.fromhex(written["filing_id"])
            )
        case "synced":
            return SyncedOrder(Synced(**{name: int(value) for name, value in written.items()}))
        case unknown:
            raise ValueError(f"no such order: {unknown!r}")


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")
