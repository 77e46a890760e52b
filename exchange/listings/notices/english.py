"""The notices in English. Changing a text changes the hash of every later notice."""

from concordat.v1 import (
    DisputeGround,
    ListingBasis,
    ListingKind,
    ListingState,
    OrderedAction,
    WithdrawalCode,
)
from exchange.listings.notices.news import News
from exchange.listings.notices.wording import Wording

_K, _B, _S = ListingKind, ListingBasis, ListingState
_G, _W, _O = DisputeGround, WithdrawalCode, OrderedAction

NOTICE = """\
Notice: {kind} is to be listed against you

You are told before it takes effect, so that you can pay it or contest it.

WHAT WAS FILED
Filed by: {source}
Filed on: {filed_at}
What: {kind}, from {basis}
Amount: {amount}
{since}: {delinquent_since}
Evidence that the filer holds, as its SHA-256:
{evidence}
Listing: {listing}

WHAT HAPPENS WHEN
Lenders see nothing of it now.
It takes effect no earlier than {notice} after this notice reached you: when your wallet fetches it, \
or the mail server of the address that you gave accepts it, whichever is first.
If it takes effect, a lender that has your consent sees it until {expires_at} at the latest. {prolonged}

HOW TO PAY
Contact {source} yourself. The exchange takes no money, and never asks you for any. \
Keep the receipt. Once paid, ask for the listing to be withdrawn; if it is in force by then, \
you can have it marked as settled yourself:
  {settle}

HOW TO CONTEST IT
  {contest}
This is free, and needs no lawyer. While it is contested it does not take effect. An independent \
reviewer, never who filed it, decides with reasons within {dispute_limit}.

YOUR RIGHTS
- Your own words, up to 200 of them, go with the listing wherever it is shown:
  {words}
- Once it is in force you can still dispute it at any time, free of charge:
  {dispute}
- You can appeal a ruling within {appeal_within}, to somebody other than who made it:
  {appeal}
- You see every listing about you in every state, and who was told of it:
  {listings}
- You can complain to the regulator: {regulator}.
Contesting, disputing or looking at your own record never lowers a score.

Federation: {federation}
"""

EN = Wording(
    day="{day} {month} {year}",
    moment="{day}, {time} UTC",
    months=(
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ),
    years=("{n} year", "{n} years"),
    spanned_months=("{n} month", "{n} months"),
    days=("{n} day", "{n} days"),
    seconds=("{n} second", "{n} seconds"),
    space=" ",
    comma=", ",
    more=" and others, {n} in all",
    kinds={
        _K.LISTING_KIND_DEBT: "a debt in default",
        _K.LISTING_KIND_JUDGMENT: "a money judgment",
    },
    bases={
        _B.LISTING_BASIS_LOAN: "a loan agreement",
        _B.LISTING_BASIS_REVOLVING_CREDIT: "revolving credit, such as a card",
        _B.LISTING_BASIS_SERVICE_CONTRACT: "goods or services to be paid later",
        _B.LISTING_BASIS_GUARANTEE: "a guarantee that was called",
        _B.LISTING_BASIS_JUDGMENT: "a public register of judgments",
    },
    since={
        _K.LISTING_KIND_DEBT: "Overdue since",
        _K.LISTING_KIND_JUDGMENT: "Judgment entered on",
    },
    prolonged={
        _K.LISTING_KIND_DEBT: "No new filing, sale or part payment moves that date.",
        _K.LISTING_KIND_JUDGMENT: "Only the court's own order can move that date, and only where "
        "the law of its place allows it.",
    },
    grounds={
        _G.DISPUTE_GROUND_UNSPECIFIED: "not stated",
        _G.DISPUTE_GROUND_NOT_MINE: "not this person's debt",
        _G.DISPUTE_GROUND_PAID: "paid",
        _G.DISPUTE_GROUND_AMOUNT: "the amount is wrong",
        _G.DISPUTE_GROUND_DATE: "the date is wrong",
        _G.DISPUTE_GROUND_CLAIM_CONTESTED: "the claim itself is contested",
        _G.DISPUTE_GROUND_INELIGIBLE: "it may not be listed",
        _G.DISPUTE_GROUND_DUPLICATE: "the same debt is listed twice",
        _G.DISPUTE_GROUND_FRAUD: "fraud, such as a stolen identity",
        _G.DISPUTE_GROUND_SETTLEMENT_DENIED: "the settlement is denied",
    },
    withdrawals={
        _W.WITHDRAWAL_CODE_UNSPECIFIED: "not stated",
        _W.WITHDRAWAL_CODE_FILED_IN_ERROR: "it was filed in error",
        _W.WITHDRAWAL_CODE_PAID: "the debt was paid",
        _W.WITHDRAWAL_CODE_SOLD: "the debt was sold",
        _W.WITHDRAWAL_CODE_WAIVED: "the debt was waived, or is time-barred",
        _W.WITHDRAWAL_CODE_GONE_FROM_REGISTER: "the public register shows it no more",
        _W.WITHDRAWAL_CODE_STRUCK_OUT: "a reviewer struck it out",
    },
    orders={
        _O.ORDERED_ACTION_UNSPECIFIED: "put right",
        _O.ORDERED_ACTION_CORRECT: "correct",
        _O.ORDERED_ACTION_WITHDRAW: "take back",
    },
    notice=NOTICE,
    news={
        News.JOINED: "One more source now vouches for a listing about you: {actor}.",
        News.RECONFIRMED: "{actor} has confirmed that the facts of a listing about you still hold.",
        News.NOTICE_SERVED: "The notice of a listing about you has reached you, and the time before "
        "its effect runs.",
        News.TOOK_EFFECT: "A listing about you has taken effect.",
        News.SETTLED: "A listing about you is marked as settled, by {actor}.",
        News.WITHDRAWN: "A listing about you is withdrawn by {actor}. Why: {withdrawal}.",
        News.SOURCE_LEFT: "{actor} no longer vouches for a listing about you; others still do.",
        News.CORRECTED: "{actor} has corrected a listing about you, in your favour.",
        News.PROLONGED: "By a court's own order, a listing about you stays longer.",
        News.DISPUTED: "Your dispute about a listing has been taken in. Ground: {ground}.",
        News.REVIEW_OPENED: "A review of a listing about you was opened by {actor}. "
        "Ground: {ground}.",
        News.EXTENDED: "{actor} needs more time to decide on a listing about you.",
        News.WORDS_CHANGED: "Your own words about a listing were changed, as you asked.",
        News.UPHELD: "Ruling: you are right. The listing is withdrawn.",
        News.RECTIFIED: "Ruling: the listing is corrected, and stays.",
        News.REJECTED: "Ruling: the listing stays as it is.",
        News.UNVERIFIABLE: "Ruling: the facts could not be verified.",
        News.TIMED_OUT: "A dispute about a listing was not decided in time.",
        News.REPAIRED: "A settled listing about you has ended early.",
        News.EXPIRED: "A listing about you has come to its end.",
        News.RECALLED: "What lenders were told of a listing about you is being recalled.",
        News.ORDERED: "{actor} has ordered {ordered} to {order} a listing about you by {order_due}. "
        "It rests on: {article}.",
        News.ORDER_OVERDUE: "{ordered} was ordered to {order} a listing about you by {order_due}, and "
        "has not done so. The regulator sees that.",
        News.REVIEW_ENDED: "What the regulator ordered about a listing about you was done, and its "
        "review has ended.",
    },
    subject="you",
    reasons="The reviewer, {actor}, gives these reasons:",
    listing="The listing: {kind}, from {basis}; {amount}; {since}: {delinquent_since}; "
    "vouched for by {sources}.\nIts number: {listing}",
    stands={
        _S.LISTING_STATE_DRAFT: "Lenders see nothing of it. It takes effect no earlier than "
        "{notice} after its notice reached you.",
        _S.LISTING_STATE_NOTICED: "Lenders see nothing of it. It takes effect no earlier than "
        "{effective_from}.",
        _S.LISTING_STATE_CONTESTED: "Lenders see nothing of it while you contest it. It is to be "
        "decided by {decide_by}.",
        _S.LISTING_STATE_EFFECTIVE: "It is in force. A lender that has your consent sees it, until "
        "{expires_at} at the latest.",
        _S.LISTING_STATE_SETTLED: "It is in force, marked as settled. A lender that has your "
        "consent sees it, until {expires_at} at the latest.",
        _S.LISTING_STATE_UNDER_REVIEW: "It is under review, to be decided by {decide_by}. {shown}",
        _S.LISTING_STATE_APPEAL: "It is under appeal, to be decided by {decide_by}. {shown}",
        _S.LISTING_STATE_WITHDRAWN: "It is over. Nobody is shown it any more.",
        _S.LISTING_STATE_REPAIRED: "It is over. Nobody is shown it any more.",
        _S.LISTING_STATE_EXPIRED: "It is over. Nobody is shown it any more.",
    },
    hidden="Meanwhile lenders see nothing of it.",
    marked="Meanwhile a lender that has your consent sees it marked as disputed.",
    recalled="Lenders that were told of it in the past six months, if any, have been told of this "
    "and must acknowledge it.",
    steps={
        "contest": "To contest it, free of charge: {contest}",
        "dispute": "To dispute it, free of charge: {dispute}",
        "appeal": "To appeal the ruling, free of charge, until {appeal_until}: {appeal}",
        "settle": "To have it marked as settled, with your receipt: {settle}",
        "words": "To add your own words, or change them: {words}",
        "listings": "To see all that there is about it: {listings}",
    },
    complain="You can complain to the regulator: {regulator}.",
    mail_subject="A notice for you from {federation}",
    alert="""\
A notice for you waits at {federation}.

Read it with your wallet:
  {inbox}

This message does not tell what it is about, because mail can be read by others. The notice's \
SHA-256, by which you can tell that it is the one meant here:
{hash}
""",
)
