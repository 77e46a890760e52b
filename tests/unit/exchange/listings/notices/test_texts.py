"""What a subject reads: complete, in its language, of closed fields alone, and never too long."""

import string
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from clients.cli.wallet import app
from concordat import v1
from concordat.v1 import (
    DisputeGround,
    ListingAction,
    ListingActKind,
    ListingBasis,
    ListingKind,
    ListingState,
    RulingOutcome,
    WithdrawalCode,
)
from exchange.listings.machine import Listing
from exchange.listings.notices.facts import NoticeFacts, facts_of
from exchange.listings.notices.money import written_amount
from exchange.listings.notices.news import REASONED, News, news_of
from exchange.listings.notices.texts import (
    LANGUAGES,
    MAX_CHARACTERS,
    alert_text,
    change_text,
    grouped_hex,
    language_of,
    mail_subject,
    notice_text,
)
from exchange.listings.notices.wording import COMMANDS, Wording
from exchange.listings.profile import Span
from tests import listing_builders as build
from tests.builders import AT, DAY

TAGS = ("en", "zh-Hans")
NAMES = {"regulator": "Office of Fair Credit"}
REASONS = "The receipt shows the full amount.\nThe furnisher did not answer."


def named(member_id: str) -> str:
    return NAMES.get(member_id, f"{member_id.title()} plc")


def facts(listing: Listing, actor: str = "") -> NoticeFacts:
    limits = build.profile(listing.profile)
    return facts_of(
        listing, limits, named, federation="test.concordat", regulator="regulator", actor=actor
    )


def told(news: News, of: NoticeFacts, language: str = "en") -> str:
    return change_text(news, of, language, REASONS if news in REASONED else "")


# The notice -------------------------------------------------------------------------------------


def test_a_notice_tells_all_that_rights_md_asks_for() -> None:
    listing = build.filed(amount=build.money(123_456))
    text = notice_text(facts(listing), "en")
    filer = named(listing.sources[0].member_id)
    for needed in (
        f"Filed by: {filer}",
        "a debt in default, from a loan agreement",
        "EUR 1,234.56",
        "Overdue since: ",
        grouped_hex(listing.evidence_hash),
        "no earlier than 30 days after this notice reached you",
        f"Contact {filer} yourself",
        f"concordat wallet contest {listing.listing_id.hex()} --ground GROUND\nThis is free",
        f"concordat wallet statement {listing.listing_id.hex()}",
        f"concordat wallet dispute {listing.listing_id.hex()}",
        f"concordat wallet appeal {listing.listing_id.hex()}",
        "complain to the regulator: Office of Fair Credit",
        "test.concordat",
    ):
        assert needed in text, needed
    end = listing.expires_at
    assert f"until {end.day} {end:%B} {end.year} at the latest" in text


def test_a_notice_in_chinese_tells_the_same() -> None:
    listing = build.filed("cn", amount=build.money(12_345_600, "CNY"))
    text = notice_text(facts(listing), "zh-CN")
    end = listing.expires_at
    for needed in (
        named(listing.sources[0].member_id),
        "逾期债务",
        "CNY 123,456.00",
        grouped_hex(listing.evidence_hash),
        "30 天生效",
        f"concordat wallet contest {listing.listing_id.hex()}",
        "免费",
        f"最迟至{end.year}年{end.month}月{end.day}日",
        "Office of Fair Credit",
    ):
        assert needed in text, needed


def test_a_judgments_notice_says_whose_order_alone_moves_its_end() -> None:
    debt, judgment = (notice_text(facts(build.filed(court=court)), "en") for court in (False, True))
    assert "a money judgment, from a public register of judgments" in judgment
    assert "Judgment entered on: " in judgment
    assert "Only the court's own order can move that date" in judgment
    assert "No new filing, sale or part payment moves that date." in debt


@pytest.mark.parametrize(
    ("name", "span"), [("uk", "28 days"), ("in", "36 days"), (build.OWN, "14 days")]
)
def test_a_notice_names_the_notice_period_of_its_own_profile(name: str, span: str) -> None:
    assert f"no earlier than {span} after this notice" in notice_text(
        facts(build.filed(name)), "en"
    )


def test_a_length_of_time_is_written_with_all_its_parts() -> None:
    text = notice_text(replace(facts(build.filed()), notice=Span(months=14, days=1)), "en")
    assert "no earlier than 1 year 2 months 1 day after" in text


# Languages --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tag", "language"),
    [
        ("en", "en"),
        ("en-GB", "en"),
        ("zh-Hans", "zh-Hans"),
        ("zh-CN", "zh-Hans"),
        ("ZH", "zh-Hans"),
        ("zh-Hant-TW", "zh-Hans"),
        ("fr", "en"),
        ("", "en"),
        ("zhx", "en"),
    ],
)
def test_a_subject_reads_its_own_language_or_english(tag: str, language: str) -> None:
    assert language_of(tag) == language


def enums() -> list[tuple[str, Any]]:
    return [
        ("kinds", ListingKind),
        ("bases", ListingBasis),
        ("since", ListingKind),
        ("prolonged", ListingKind),
        ("grounds", DisputeGround),
        ("withdrawals", WithdrawalCode),
        ("stands", ListingState),
    ]


@pytest.mark.parametrize("wording", LANGUAGES.values(), ids=LANGUAGES)
def test_each_language_has_words_for_every_value_of_every_enum(wording: Wording) -> None:
    for name, enum in enums():
        words = getattr(wording, name)
        unset = {0} - set(words)  # some may be unset, and then that has words too
        assert set(words) == set(enum.values()) - unset, name
        assert all(words.values()), name
    assert set(wording.news) == set(News)
    assert set(wording.steps) == set(COMMANDS) - {"inbox"}
    assert len(wording.months) == 12


def blanks(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name}


def templates(wording: Wording) -> dict[str, str]:
    """Return every template of a language by where it stands."""
    found: dict[str, str] = {}
    for each in fields(wording):
        value = getattr(wording, each.name)
        if isinstance(value, str):
            found[each.name] = value
        elif isinstance(value, dict):
            found |= {f"{each.name}.{key}": text for key, text in value.items()}
    return found


def test_every_language_fills_the_same_blanks() -> None:
    english = {where: blanks(text) for where, text in templates(LANGUAGES["en"]).items()}
    chinese = {where: blanks(text) for where, text in templates(LANGUAGES["zh-Hans"]).items()}
    assert chinese == english


@pytest.mark.parametrize("tag", TAGS)
def test_no_blank_is_left_in_any_text(tag: str) -> None:
    of = facts(build.under_review())
    texts = [notice_text(of, tag), *(told(news, of, tag) for news in News)]
    texts += [alert_text("f", bytes(32), tag), mail_subject("f", tag)]
    assert not any("{" in text or "}" in text for text in texts)


# What happens later -----------------------------------------------------------------------------


@pytest.mark.parametrize("tag", TAGS)
@pytest.mark.parametrize("news", News, ids=lambda news: news.name)
def test_each_piece_of_news_reads_differently_in_every_language(news: News, tag: str) -> None:
    of = facts(build.effective(), "alder-bank")
    others = {told(other, of, tag) for other in News if other is not news}
    assert told(news, of, tag) not in others


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (build.filed, "no earlier than 30 days after its notice reached you"),
        (build.noticed, "It takes effect no earlier than 1 July 2026, 12:00 UTC"),
        (build.contested, "Lenders see nothing of it while you contest it. It is to be decided by"),
        (build.effective, "It is in force. A lender that has your consent sees it"),
        (build.settled, "It is in force, marked as settled"),
        (build.under_review, "under review, to be decided by"),
        (build.under_appeal, "under appeal, to be decided by"),
        (build.withdrawn, "It is over. Nobody is shown it any more."),
        (build.repaired, "It is over. Nobody is shown it any more."),
        (build.expired, "It is over. Nobody is shown it any more."),
    ],
)
def test_every_message_says_where_the_listing_stands(make: Any, says: str) -> None:
    assert says in told(News.RECONFIRMED, facts(make()))


def test_a_dispute_hides_or_marks_a_listing_as_its_profile_says() -> None:
    hidden = told(News.DISPUTED, facts(build.under_review()))
    marked = told(News.DISPUTED, facts(build.under_review("us", court=True)))
    assert "Meanwhile lenders see nothing of it." in hidden
    assert "sees it marked as disputed" in marked


def test_what_can_be_done_is_what_the_state_allows() -> None:
    commands = {
        name: {
            word
            for word in ("contest", "dispute", "appeal", "settle", "statement")
            if f"concordat wallet {word} " in told(News.RECONFIRMED, facts(listing))
        }
        for name, listing in (
            ("noticed", build.noticed()),
            ("contested", build.contested()),
            ("effective", build.effective()),
            ("settled", build.settled()),
            ("under review", build.under_review()),
            ("expired", build.expired()),
        )
    }
    assert commands == {
        "noticed": {"contest", "statement"},
        "contested": {"statement"},
        "effective": {"dispute", "settle", "statement"},
        "settled": {"dispute", "statement"},
        "under review": {"statement"},
        "expired": set(),
    }


def test_a_rejection_tells_until_when_it_can_be_appealed_to_the_minute() -> None:
    listing = build.under_review()
    decided = build.at_of(listing.effective_at) + 2 * DAY
    text = told(News.REJECTED, facts(build.ruled(listing, at=decided), "rowan"))
    until = decided + 10 * DAY
    assert f"until {until.day} {until:%B} {until.year}, {until:%H:%M} UTC: concordat wallet" in text
    assert "The reviewer, Rowan plc, gives these reasons:" in text


def test_a_ruling_that_is_upheld_or_was_appealed_offers_no_appeal() -> None:
    listing = build.under_review()
    decided = build.at_of(listing.effective_at) + 2 * DAY
    upheld = build.ruled(listing, build.UPHELD, at=decided)
    assert "concordat wallet appeal" not in told(News.UPHELD, facts(upheld))
    appealed = build.under_appeal()
    rejected = build.ruled(appealed, at=decided + DAY)
    assert "concordat wallet appeal" not in told(News.REJECTED, facts(rejected))


@pytest.mark.parametrize(
    ("news", "make", "recalls"),
    [
        (News.WITHDRAWN, build.withdrawn, True),
        (News.REPAIRED, build.repaired, True),
        (News.TIMED_OUT, build.withdrawn, True),
        (News.SETTLED, build.settled, True),
        (News.CORRECTED, build.effective, True),
        (News.TOOK_EFFECT, build.effective, False),
        (News.SOURCE_LEFT, build.effective, False),
        (News.EXPIRED, build.expired, False),
    ],
)
def test_the_subject_hears_of_a_recall_where_lenders_are_told(
    news: News, make: Any, recalls: bool
) -> None:
    assert ("must acknowledge it" in told(news, facts(make()))) == recalls


def test_what_the_subject_did_itself_is_not_put_on_anyone_else() -> None:
    listing = build.settled()
    assert "marked as settled, by you." in told(News.SETTLED, facts(listing))
    assert "marked as settled, by Alder-Bank plc." in told(
        News.SETTLED, facts(listing, "alder-bank")
    )


def test_reasons_come_with_rulings_and_extensions_and_nothing_else() -> None:
    of = facts(build.effective())
    for news in News:
        assert ("> The receipt" in told(news, of)) == (news in REASONED)
        with pytest.raises(ValueError, match=news.name):
            change_text(news, of, "en", "" if news in REASONED else "because")


# What others may write --------------------------------------------------------------------------


def test_reasons_cannot_pass_for_the_exchanges_own_words() -> None:
    forged = "No.\n\nYOUR RIGHTS\r- none\u2028HOW TO PAY\x0bsend money to me\u202eCBA"
    text = change_text(News.REJECTED, facts(build.effective()), "en", forged)
    lines = text.splitlines()
    for words in ("YOUR RIGHTS", "- none", "HOW TO PAY", "send money to meCBA"):
        assert f"> {words}" in lines
        assert words not in lines


def test_a_legal_name_stays_on_its_line() -> None:
    of = replace(facts(build.filed()), sources=("Bank\n\nHOW TO PAY\nhere\u2066",))
    text = notice_text(of, "en")
    assert "Filed by: Bank HOW TO PAY here\n" in text
    assert text.splitlines().count("HOW TO PAY") == 1


def test_braces_in_a_name_are_no_template() -> None:
    of = replace(facts(build.filed()), sources=("{amount} {0} {x.__class__}",))
    assert "Filed by: {amount} {0} {x.__class__}\n" in notice_text(of, "en")


_TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=200)
_TIMES = st.datetimes(datetime(1970, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001
_SPANS = st.builds(Span, st.integers(0, 999 * 12), st.integers(0, 9999))


def of_enum(enum: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from([value for value in enum.values() if value])


ANY_FACTS = st.builds(
    NoticeFacts,
    federation=_TEXT.map(lambda text: text[:120]),
    regulator=_TEXT,
    listing_id=st.binary(min_size=16, max_size=16),
    sources=st.lists(_TEXT, min_size=1, max_size=16).map(tuple),
    kind=of_enum(ListingKind),
    basis=of_enum(ListingBasis),
    currency=st.from_regex("[A-Z]{3}", fullmatch=True),
    amount=st.integers(0, 10**15),
    delinquent_since=_TIMES,
    evidence_hash=st.binary(min_size=32, max_size=32),
    filed_at=_TIMES,
    expires_at=_TIMES,
    state=of_enum(ListingState),
    notice=_SPANS,
    dispute=_SPANS,
    appeal_within=_SPANS,
    hidden_while_disputed=st.booleans(),
    actor=_TEXT,
    effective_from=st.none() | _TIMES,
    decide_by=st.none() | _TIMES,
    appeal_until=st.none() | _TIMES,
    ground=of_enum(DisputeGround),
    withdrawal=of_enum(WithdrawalCode),
)


@given(ANY_FACTS, st.sampled_from(News), st.sampled_from(TAGS), st.text(min_size=1, max_size=2000))
def test_no_text_is_ever_longer_than_an_inbox_takes(
    of: NoticeFacts, news: News, tag: str, reasons: str
) -> None:
    assert 0 < len(notice_text(of, tag)) <= MAX_CHARACTERS
    assert (
        0 < len(change_text(news, of, tag, reasons if news in REASONED else "")) <= MAX_CHARACTERS
    )


@pytest.mark.parametrize("tag", TAGS)
def test_the_longest_names_and_reasons_there_can_be_still_fit(tag: str) -> None:
    of = replace(
        facts(build.under_appeal(), "x"),
        federation="f" * 120,
        regulator="r" * 200,
        actor="a" * 200,
        sources=("s" * 200,) * 16,
        appeal_until=AT,
        notice=Span(11999, 9999),
    )
    assert len(notice_text(of, tag)) <= MAX_CHARACTERS
    for news in News:
        for reasons in ("r" * 2000, "r\n" * 1000):
            text = change_text(news, of, tag, reasons if news in REASONED else "")
            assert len(text) <= MAX_CHARACTERS
    assert MAX_CHARACTERS == 8000
    v1_bound = v1.InboxMessage.DESCRIPTOR.fields_by_name["text"].GetOptions()
    assert "max_len: 8000" in str(v1_bound)


# News -------------------------------------------------------------------------------------------


def test_every_act_on_a_listing_is_some_news() -> None:
    live = ListingState.LISTING_STATE_EFFECTIVE
    kinds = ListingActKind
    silent = {
        kinds.LISTING_ACT_KIND_UNSPECIFIED,
        kinds.LISTING_ACT_KIND_FILED,  # the notice tells of it
        kinds.LISTING_ACT_KIND_ACKNOWLEDGED,
    }
    found = set()
    for kind in set(kinds.values()) - silent:
        for action in ListingAction.values()[1:]:
            for outcome in RulingOutcome.values()[1:]:
                found.add(news_of(kind, live, action=action, outcome=outcome))
    of_orders = {News.ORDERED, News.ORDER_OVERDUE}  # acts of their own
    assert found == set(News) - {News.WITHDRAWN} - of_orders
    withdraw = ListingAction.LISTING_ACTION_WITHDRAW
    event, over = kinds.LISTING_ACT_KIND_EVENT, ListingState.LISTING_STATE_WITHDRAWN
    assert news_of(event, over, action=withdraw) is News.WITHDRAWN
    for kind in silent:
        with pytest.raises(KeyError):
            news_of(kind, live)


def test_every_command_that_a_notice_names_is_one_of_the_wallets() -> None:
    wallet = typer.main.get_command(app)
    assert isinstance(wallet, typer.core.TyperGroup)
    for line in COMMANDS.values():
        program, group, command, *arguments = line.split()
        assert (program, group) == ("concordat", "wallet")
        params = wallet.commands[command].params
        options = {
            each.opts[0] for each in params if each.param_type_name == "option" and each.required
        }
        named = {word for word in arguments if word.startswith("--")}
        assert named == options, line
        most = [each for each in params if each.param_type_name == "argument"]
        least = [each for each in most if each.required]
        assert len(least) <= len(arguments) - 2 * len(named) <= len(most), line


# Money and hashes -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("currency", "minor", "written"),
    [
        ("EUR", 0, "EUR 0.00"),
        ("EUR", 5, "EUR 0.05"),
        ("USD", 123_456_789, "USD 1,234,567.89"),
        ("CNY", 100, "CNY 1.00"),
        ("INR", 10**15, "INR 10,000,000,000,000.00"),
        ("JPY", 1234, "JPY 1,234"),
        ("KWD", 1234, "KWD 1.234"),
        ("CLF", 12_345, "CLF 1.2345"),
        ("ATL", 7, "ATL 0.07"),
    ],
)
def test_an_amount_is_written_to_its_last_minor_unit(
    currency: str, minor: int, written: str
) -> None:
    assert written_amount(currency, minor) == written


@given(st.integers(0, 10**15), st.sampled_from(["EUR", "JPY", "KWD", "CLF"]))
def test_no_unit_is_lost_in_writing_an_amount(minor: int, currency: str) -> None:
    digits = written_amount(currency, minor).removeprefix(f"{currency} ")
    assert int(digits.replace(",", "").replace(".", "")) == minor


def test_a_hash_reads_in_groups_and_loses_nothing() -> None:
    digest = bytes(range(32))
    assert grouped_hex(digest).startswith("00010203 04050607 ")
    assert bytes.fromhex(grouped_hex(digest)) == digest


def test_a_mail_that_only_alerts_tells_of_no_debt() -> None:
    listing = build.filed()
    of = facts(listing)
    for tag in TAGS:
        digest = build.digest("notice")
        text = alert_text("test.concordat", digest, tag) + mail_subject("test.concordat", tag)
        assert grouped_hex(digest) in text
        assert COMMANDS["inbox"] in text
        for secret in (of.sources[0], listing.listing_id.hex(), "debt", "债", "listing", "EUR"):
            assert secret not in text


def test_the_time_of_day_of_a_limit_is_never_later_than_the_limit() -> None:
    of = replace(
        facts(build.noticed()), appeal_until=AT.replace(hour=23, minute=59) + timedelta(seconds=59)
    )
    assert "until 1 June 2026, 23:59 UTC" in told(News.REJECTED, of)
