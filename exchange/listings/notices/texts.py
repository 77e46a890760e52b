"""The words of a notice and of every later change: pure, from closed fields alone.

What a furnisher may file has no free text, so none of it can reach a subject through here. The reasons of a
reviewer are the only words of another's, and stand apart line by line, so that they can't pass for ours.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import datetime

from concordat.v1 import ListingState, OrderedAction
from exchange.listings.notices.chinese import ZH_HANS
from exchange.listings.notices.english import EN
from exchange.listings.notices.facts import NoticeFacts, OrderFacts
from exchange.listings.notices.money import written_amount
from exchange.listings.notices.news import REASONED, News
from exchange.listings.notices.wording import COMMANDS, Wording
from exchange.listings.profile import Span

LANGUAGES: Mapping[str, Wording] = {"en": EN, "zh-Hans": ZH_HANS}
DEFAULT_LANGUAGE = "en"
MAX_CHARACTERS = 8000  # of ``InboxMessage.text``

_NOTHING = "-"
_GROUP = 8  # hex digits of a hash that stand together
_MONTHS_A_YEAR = 12
_MOST_NAMES = 4  # of sources; a name may be 200 characters long
_S = ListingState
_ENDED_EARLY = frozenset({_S.LISTING_STATE_WITHDRAWN, _S.LISTING_STATE_REPAIRED})
_CHANGED = frozenset({News.SETTLED, News.CORRECTED, News.RECTIFIED})
_STEPS: Mapping[ListingState.ValueType, tuple[str, ...]] = {
    _S.LISTING_STATE_DRAFT: ("listings",),
    _S.LISTING_STATE_NOTICED: ("contest", "words", "listings"),
    _S.LISTING_STATE_CONTESTED: ("words", "listings"),
    _S.LISTING_STATE_EFFECTIVE: ("settle", "dispute", "words", "listings"),
    _S.LISTING_STATE_SETTLED: ("dispute", "words", "listings"),
    _S.LISTING_STATE_UNDER_REVIEW: ("words", "listings"),
    _S.LISTING_STATE_APPEAL: ("words", "listings"),
}
# Characters that could turn the order of what stands around them (Unicode bidirectional controls).
_TURNING = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def language_of(tag: str) -> str:
    """Return the language of ``LANGUAGES`` for a BCP 47 tag; the default where there is none such."""
    primary = tag.partition("-")[0].lower()
    return "zh-Hans" if primary == "zh" else DEFAULT_LANGUAGE


def notice_text(facts: NoticeFacts, language: str) -> str:
    """Return the notice of a filed listing, at most 8,000 characters; ``language`` is any BCP 47 tag.

    Who filed what, since when and on what evidence; what happens when; how to pay; how to contest; rights.
    """
    wording = LANGUAGES[language_of(language)]
    return wording.notice.format_map(_fields(facts, wording))


def change_text(news: News, facts: NoticeFacts, language: str, reasons: str = "") -> str:
    """Return what a subject is told of a change, at most 8,000 characters.

    ``facts`` are those after the change; ``reasons`` are the reviewer's, at most 2,000 characters. Raises
    ``ValueError`` where reasons come with news that have none.
    """
    if bool(reasons) != (news in REASONED):
        raise ValueError(f"{news.name} and reasons do not go together")
    wording = LANGUAGES[language_of(language)]
    fields = _fields(facts, wording)
    lines = [wording.news[news].format_map(fields)]
    if reasons:
        lines += ["", wording.reasons.format_map(fields), *_quoted(reasons)]
    lines += ["", wording.listing.format_map(fields)]
    lines += ["", wording.stands[facts.state].format_map(fields)]
    if news in _CHANGED or facts.state in _ENDED_EARLY:
        lines.append(wording.recalled)
    steps = ["appeal"] if facts.appeal_until is not None else []
    steps += _STEPS.get(facts.state, ())
    lines += ["", *(wording.steps[step].format_map(fields) for step in steps)]
    lines.append(wording.complain.format_map(fields))
    return "\n".join(lines) + "\n"


def alert_text(federation: str, notice_hash: bytes, language: str) -> str:
    """Return a mail's text that tells nothing but that a message waits, and its SHA-256."""
    wording = LANGUAGES[language_of(language)]
    return wording.alert.format(
        federation=_one_line(federation), hash=grouped_hex(notice_hash), **COMMANDS
    )


def mail_subject(federation: str, language: str) -> str:
    """Return the subject line of every mail: the same whatever it is about."""
    wording = LANGUAGES[language_of(language)]
    return wording.mail_subject.format(federation=_one_line(federation))


def grouped_hex(digest: bytes) -> str:
    """Return a hash in hex, in groups that the eye can follow."""
    digits = digest.hex()
    return " ".join(digits[at : at + _GROUP] for at in range(0, len(digits), _GROUP))


def _fields(facts: NoticeFacts, wording: Wording) -> dict[str, str]:
    listing = facts.listing_id.hex()
    return {
        **{name: command.format(listing=listing) for name, command in COMMANDS.items()},
        "federation": _one_line(facts.federation),
        "regulator": _one_line(facts.regulator),
        "source": _one_line(facts.sources[0]),
        "sources": _names(facts.sources, wording),
        "actor": _one_line(facts.actor) or wording.subject,
        "listing": listing,
        "kind": wording.kinds[facts.kind],
        "basis": wording.bases[facts.basis],
        "amount": written_amount(facts.currency, facts.amount),
        "since": wording.since[facts.kind],
        "delinquent_since": _day(facts.delinquent_since, wording),
        "evidence": grouped_hex(facts.evidence_hash),
        "filed_at": _day(facts.filed_at, wording),
        "expires_at": _day(facts.expires_at, wording),
        "effective_from": _moment(facts.effective_from, wording),
        "decide_by": _day(facts.decide_by, wording),
        "appeal_until": _moment(facts.appeal_until, wording),
        "notice": _span(facts.notice, wording),
        "dispute_limit": _span(facts.dispute, wording),
        "appeal_within": _span(facts.appeal_within, wording),
        "prolonged": wording.prolonged[facts.kind],
        "ground": wording.grounds[facts.ground],
        "withdrawal": wording.withdrawals[facts.withdrawal],
        "shown": wording.hidden if facts.hidden_while_disputed else wording.marked,
        **_order(facts.order, wording),
    }


def _order(order: OrderFacts | None, wording: Wording) -> dict[str, str]:
    action = order.action if order else OrderedAction.ORDERED_ACTION_UNSPECIFIED
    return {
        "ordered": _one_line(order.furnisher) if order else _NOTHING,
        "order": wording.orders[action],
        "order_due": _moment(order.due_at if order else None, wording),
        "article": _one_line(order.legal_article) if order else _NOTHING,
    }


def _names(names: Sequence[str], wording: Wording) -> str:
    text = wording.comma.join(map(_one_line, names[:_MOST_NAMES]))
    return text + wording.more.format(n=len(names)) if len(names) > _MOST_NAMES else text


def _moment(moment: datetime | None, wording: Wording) -> str:
    """Return a time to the minute: a limit that the subject has to keep."""
    if moment is None:
        return _NOTHING
    return wording.moment.format(day=_day(moment, wording), time=f"{moment:%H:%M}")


def _day(moment: datetime | None, wording: Wording) -> str:
    if moment is None:
        return _NOTHING
    month = wording.months[moment.month - 1]
    return wording.day.format(year=moment.year, month=month, day=moment.day)


def _span(span: Span, wording: Wording) -> str:
    years, months = divmod(span.months, _MONTHS_A_YEAR)
    counts = (
        (years, wording.years),
        (months, wording.spanned_months),
        (span.days, wording.days),
        (span.seconds, wording.seconds),
    )
    parts = [forms[n != 1].format(n=n) for n, forms in counts if n]
    return wording.space.join(parts) or wording.days[1].format(n=0)


def _one_line(name: str) -> str:
    """Return a name as one line of visible characters."""
    return " ".join(_visible(name).split())


def _quoted(reasons: str) -> list[str]:
    """Return another's words line by line, each marked as such; empty lines are left out."""
    lines = (_one_line(line) for line in reasons.splitlines())
    return [f"> {line}" for line in lines if line]


def _visible(text: str) -> str:
    without = _TURNING.sub("", text)
    return "".join(
        " " if unicodedata.category(character) in ("Cc", "Zl", "Zp") else character
        for character in without
    )
