"""What can happen to a listing, as its subject is told of it."""

from collections.abc import Mapping
from enum import Enum, auto

from concordat.v1 import ListingAction, ListingActKind, ListingState, RulingOutcome


class News(Enum):
    """Something that happened to a listing after it was filed."""

    JOINED = auto()
    RECONFIRMED = auto()
    NOTICE_SERVED = auto()
    TOOK_EFFECT = auto()
    SETTLED = auto()
    WITHDRAWN = auto()
    SOURCE_LEFT = auto()
    CORRECTED = auto()
    PROLONGED = auto()
    DISPUTED = auto()
    REVIEW_OPENED = auto()
    EXTENDED = auto()
    WORDS_CHANGED = auto()
    UPHELD = auto()
    RECTIFIED = auto()
    REJECTED = auto()
    UNVERIFIABLE = auto()
    TIMED_OUT = auto()
    REPAIRED = auto()
    EXPIRED = auto()
    RECALLED = auto()
    ORDERED = auto()
    ORDER_OVERDUE = auto()
    REVIEW_ENDED = auto()


REASONED = frozenset({News.EXTENDED, News.UPHELD, News.RECTIFIED, News.REJECTED, News.UNVERIFIABLE})
"""News that come with a reviewer's reasons, and no other does."""

RECALLING = frozenset({News.SETTLED, News.WITHDRAWN, News.CORRECTED, News.UPHELD, News.RECTIFIED})
"""News of which those who were told of the listing hear too (R14)."""

_ACTIONS: Mapping[ListingAction.ValueType, News] = {
    ListingAction.LISTING_ACTION_RECONFIRM: News.RECONFIRMED,
    ListingAction.LISTING_ACTION_SETTLE: News.SETTLED,
    ListingAction.LISTING_ACTION_WITHDRAW: News.WITHDRAWN,
    ListingAction.LISTING_ACTION_CORRECT: News.CORRECTED,
    ListingAction.LISTING_ACTION_OPEN_REVIEW: News.REVIEW_OPENED,
    ListingAction.LISTING_ACTION_EXTEND: News.EXTENDED,
    ListingAction.LISTING_ACTION_STATE: News.WORDS_CHANGED,
    ListingAction.LISTING_ACTION_NOTICE_SERVED: News.NOTICE_SERVED,
    ListingAction.LISTING_ACTION_TAKE_EFFECT: News.TOOK_EFFECT,
    ListingAction.LISTING_ACTION_TIME_OUT: News.TIMED_OUT,
    ListingAction.LISTING_ACTION_REPAIR: News.REPAIRED,
    ListingAction.LISTING_ACTION_EXPIRE: News.EXPIRED,
    ListingAction.LISTING_ACTION_PROLONG: News.PROLONGED,
    ListingAction.LISTING_ACTION_END_REVIEW: News.REVIEW_ENDED,
}
_OUTCOMES: Mapping[RulingOutcome.ValueType, News] = {
    RulingOutcome.RULING_OUTCOME_UPHELD: News.UPHELD,
    RulingOutcome.RULING_OUTCOME_RECTIFIED: News.RECTIFIED,
    RulingOutcome.RULING_OUTCOME_REJECTED: News.REJECTED,
    RulingOutcome.RULING_OUTCOME_UNVERIFIABLE: News.UNVERIFIABLE,
}
_KINDS: Mapping[ListingActKind.ValueType, News] = {
    ListingActKind.LISTING_ACT_KIND_JOINED: News.JOINED,
    ListingActKind.LISTING_ACT_KIND_DISPUTED: News.DISPUTED,
    ListingActKind.LISTING_ACT_KIND_RETRACTED: News.RECALLED,
}


def news_of(
    kind: ListingActKind.ValueType,
    state: ListingState.ValueType,
    *,
    action: ListingAction.ValueType = ListingAction.LISTING_ACTION_UNSPECIFIED,
    outcome: RulingOutcome.ValueType = RulingOutcome.RULING_OUTCOME_UNSPECIFIED,
) -> News:
    """Return what an act that led to ``state`` is to the subject; ``KeyError`` for what is no news.

    ``action`` is an event's and ``outcome`` a ruling's. A filing is told of by its notice, and that a
    lender acknowledged a recall is shown in the subject's own report.
    """
    match kind:
        case ListingActKind.LISTING_ACT_KIND_EVENT:
            news = _ACTIONS[action]
        case ListingActKind.LISTING_ACT_KIND_RULED:
            news = _OUTCOMES[outcome]
        case _:
            news = _KINDS[kind]
    if news is News.WITHDRAWN and state != ListingState.LISTING_STATE_WITHDRAWN:
        return News.SOURCE_LEFT  # others still vouch for it
    return news
