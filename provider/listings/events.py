"""Making the events that a furnisher or a court may say of its listings."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from concordat import v1
from concordat.clock import from_micros, to_timestamp
from concordat.ids import new_id
from concordat.v1 import ListingAction, WithdrawalCode
from provider.listings.orders import EventOrder
from provider.store.listings import Key, Listed

WITHDRAWALS = {
    "filed-in-error": WithdrawalCode.WITHDRAWAL_CODE_FILED_IN_ERROR,
    "paid": WithdrawalCode.WITHDRAWAL_CODE_PAID,
    "sold": WithdrawalCode.WITHDRAWAL_CODE_SOLD,
    "waived": WithdrawalCode.WITHDRAWAL_CODE_WAIVED,
    "gone-from-register": WithdrawalCode.WITHDRAWAL_CODE_GONE_FROM_REGISTER,
}


@dataclass(frozen=True, slots=True)
class Speaker:
    """Speaks in one member's name, at one time."""

    member_id: str
    federation: str
    at: datetime

    def reconfirm(self, key: Key) -> EventOrder:
        """The facts still hold."""
        return self._say(key, ListingAction.LISTING_ACTION_RECONFIRM)

    def settle(self, key: Key, receipt_hash: bytes, paid_at: int) -> EventOrder:
        """The debt was paid, at ``paid_at`` (microseconds)."""
        paid = v1.Settlement(receipt_hash=receipt_hash, paid_at=to_timestamp(from_micros(paid_at)))
        return self._say(key, ListingAction.LISTING_ACTION_SETTLE, settlement=paid)

    def withdraw(self, key: Key, code: WithdrawalCode.ValueType) -> EventOrder:
        """The listing is taken back."""
        return self._say(key, ListingAction.LISTING_ACTION_WITHDRAW, withdrawal=code)

    def correct(
        self, row: Listed, *, minor: int, delinquent_since: int, evidence_hash: bytes
    ) -> EventOrder:
        """The facts are corrected, all three said anew."""
        facts = v1.Correction(
            amount=v1.Money(currency=row.currency, minor=minor),
            delinquent_since=to_timestamp(from_micros(delinquent_since)),
            evidence_hash=evidence_hash,
        )
        return self._say(row.key, ListingAction.LISTING_ACTION_CORRECT, correction=facts)

    def prolong(self, key: Key, order_hash: bytes, until: int) -> EventOrder:
        """The court's own order keeps the entry in force until ``until`` (microseconds)."""
        order = v1.Prolongation(order_hash=order_hash, until=to_timestamp(from_micros(until)))
        return self._say(key, ListingAction.LISTING_ACTION_PROLONG, prolongation=order)

    def _say(self, key: Key, action: ListingAction.ValueType, **particulars: Any) -> EventOrder:
        subject_ref, filing_id = key
        event = v1.ListingEvent(
            event_id=new_id(),
            federation=self.federation,
            subject_ref=subject_ref,
            actor=self.member_id,
            action=action,
            decided_at=to_timestamp(self.at),
            **particulars,
        )
        return EventOrder(filing_id, event)
