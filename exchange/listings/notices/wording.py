"""What one language needs to word notices in; templates are filled with ``str.format``."""

from collections.abc import Mapping
from dataclasses import dataclass

from concordat.v1 import (
    DisputeGround,
    ListingBasis,
    ListingKind,
    ListingState,
    OrderedAction,
    WithdrawalCode,
)
from exchange.listings.notices.news import News

COMMANDS: Mapping[str, str] = {
    "inbox": "concordat wallet inbox",
    "listings": "concordat wallet listings",
    "contest": "concordat wallet contest {listing} --ground GROUND",
    "dispute": "concordat wallet dispute {listing} --ground GROUND",
    "appeal": "concordat wallet appeal {listing} --ground GROUND",
    "settle": "concordat wallet settle {listing} --receipt FILE --paid-on DATE",
    "words": "concordat wallet statement {listing} TEXT",
}
"""What a subject types to act; every template may name them."""


@dataclass(frozen=True, slots=True)
class Wording:
    """One language's words."""

    day: str  # of {year}, {month} (from ``months``) and {day}
    moment: str  # of {day} and {time}
    months: tuple[str, ...]
    years: tuple[str, str]  # of {n}: for one, for more
    spanned_months: tuple[str, str]
    days: tuple[str, str]
    seconds: tuple[str, str]
    space: str  # between the parts of a length of time
    comma: str  # between names
    more: str  # after some of {n} names
    kinds: Mapping[ListingKind.ValueType, str]
    bases: Mapping[ListingBasis.ValueType, str]
    since: Mapping[ListingKind.ValueType, str]
    prolonged: Mapping[ListingKind.ValueType, str]  # whether its end can move
    grounds: Mapping[DisputeGround.ValueType, str]
    withdrawals: Mapping[WithdrawalCode.ValueType, str]
    orders: Mapping[OrderedAction.ValueType, str]  # what a furnisher is ordered to do
    notice: str
    news: Mapping[News, str]
    subject: str  # in place of an actor's name where the subject itself acted
    reasons: str
    listing: str
    stands: Mapping[ListingState.ValueType, str]
    hidden: str  # while a dispute after its effect is open
    marked: str
    recalled: str
    steps: Mapping[str, str]  # by the command that each is about
    complain: str
    mail_subject: str
    alert: str  # a mail that tells of nothing but a message that waits
