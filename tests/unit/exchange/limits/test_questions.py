"""How far one subject's score may be narrowed by asking again."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from concordat import v1
from concordat.refusal import Refusal
from concordat.v1 import DisclosureKind, Reason
from exchange.limits.questions import (
    Question,
    Questions,
    band_floors,
    digest_of_names,
    question_of,
    require_little_told,
)
from exchange.limits.settings import LimitSettings
from exchange.settings import ExchangeSettings
from tests.builders import AT, DAY, PROVIDERS, Federation

BAND = 0
ALL, FEWER = digest_of_names(PROVIDERS), digest_of_names(PROVIDERS[1:])
Asked = int | tuple[bytes, int]  # a threshold, or the band; and of whom, where not of all
SUBJECT = (b"s" * 32, "lendwell")


def question(asked: Asked) -> Question:
    return Question(*(asked if isinstance(asked, tuple) else (ALL, asked)))


def may_ask(*asked: Asked, most: int = 2) -> bool:
    """Tell whether the last of these may be told to whoever was told the others, all at once."""
    questions = Questions(LimitSettings(thresholds_of_one_subject=most), [])
    for each in asked[:-1]:
        questions.add(SUBJECT, question(each), AT)
    try:
        questions.require(SUBJECT, question(asked[-1]), AT)
    except Refusal as refusal:
        return refusal.reason != Reason.REASON_THRESHOLD_MOVED
    return True


@pytest.mark.parametrize(
    ("asked", "allowed"),
    [
        ([610], True),
        ([610, 630], True),
        ([610, 630, 620], False),
        ([610, 630, 610], True),  # the same again tells that the score moved, and no more
        ([560, 600, 640], False),  # floors of bands are thresholds as others
        ([BAND], True),
        ([BAND, BAND], True),
        ([BAND, 600], True),  # the band has told that
        ([BAND, 610], False),
        ([BAND, 520, 560, 600, 640], True),
        ([610, BAND], False),
        ([600, BAND], True),  # no more than the band alone
        ([600, BAND, 610], False),
        ([560, 600, BAND], False),
        ([600, (FEWER, 600)], True),
        ([600, (FEWER, 600), 610], False),
        ([600, 610, (FEWER, 600)], False),
        ([600, (FEWER, BAND)], False),
        ([BAND, (FEWER, 600)], False),
        ([BAND, (FEWER, BAND)], False),
    ],
)
def test_what_may_be_told_to_whom(asked: list[Asked], allowed: bool) -> None:
    assert may_ask(*asked) is allowed


@pytest.mark.parametrize(
    ("asked", "most", "allowed"),
    [
        ([600], 1, True),
        ([600, 610], 1, False),
        ([600, BAND], 1, False),
        ([BAND], 1, True),
        ([601, 602, 603, 604, 605], 5, True),
        ([BAND, 610], 5, True),
        ([610, BAND], 5, True),
        ([BAND, 610, 620], 5, False),
    ],
)
def test_the_operator_says_how_many_thresholds(
    asked: list[Asked], most: int, allowed: bool
) -> None:
    assert may_ask(*asked, most=most) is allowed


def test_a_threshold_counts_from_when_it_was_last_told_and_leaves_after_the_period() -> None:
    limits = LimitSettings()
    questions = Questions(limits, [])
    for days, threshold in ((0, 600), (10, 610), (20, 600)):
        questions.add(SUBJECT, question(threshold), AT + days * DAY)

    def wait(at: datetime) -> timedelta | None:
        try:
            questions.require(SUBJECT, question(620), at)
        except Refusal as refusal:
            return refusal.retry_after
        return None

    assert wait(AT + 20 * DAY) == 80 * DAY  # 610 leaves first: 600 was told again since
    assert wait(AT + 100 * DAY - timedelta(microseconds=1)) == timedelta(microseconds=1)
    assert wait(AT + 100 * DAY) is None


def test_a_band_holds_until_its_floors_have_left() -> None:
    told = dict.fromkeys(question(BAND).cuts, AT) | {(ALL, 600): AT + 5 * DAY}
    with pytest.raises(Refusal) as failure:
        require_little_told(question(610), told, AT + 6 * DAY, LimitSettings())
    assert failure.value.retry_after == 84 * DAY  # then but 600 is left
    with pytest.raises(Refusal) as failure:
        require_little_told(question((FEWER, BAND)), told, AT + 6 * DAY, LimitSettings())
    assert failure.value.retry_after == 89 * DAY


@given(
    st.lists(st.sampled_from([*range(590, 612), BAND, (FEWER, 600), (FEWER, BAND)]), max_size=30),
    st.integers(1, 6),
)
def test_nobody_ever_knows_more_cuts_than_allowed_or_than_one_band_makes(
    asks: list[Asked], most: int
) -> None:
    questions, known = Questions(LimitSettings(thresholds_of_one_subject=most), []), set[Any]()
    for each in asks:
        try:
            questions.require(SUBJECT, question(each), AT)
        except Refusal:
            continue
        questions.add(SUBJECT, question(each), AT)
        known |= question(each).cuts
    bands = [question(BAND).cuts, question((FEWER, BAND)).cuts]
    assert len(known) <= most or any(known == band for band in bands)


def test_lenders_and_subjects_are_counted_each_for_itself() -> None:
    questions = Questions(LimitSettings(thresholds_of_one_subject=1), [])
    questions.add(SUBJECT, question(600), AT)
    questions.require((SUBJECT[0], "quickcash"), question(610), AT)
    questions.require((b"t" * 32, SUBJECT[1]), question(610), AT)


def test_a_band_is_cut_where_one_ends_and_the_next_begins() -> None:
    assert band_floors() == (520, 560, 600, 640)


def test_what_was_told_is_not_erased_while_it_counts() -> None:
    given: dict[str, Any] = {
        "member_id": "exchange",
        "signing_key": "key.pem",
        "database": "sqlite:///exchange.db",
        "trust_bundle": "bundle.json",
        "tls_certificate": "tls.pem",
        "tls_key": "tls.key",
        "member_listen": "0.0.0.0:7443",
        "public_listen": "0.0.0.0:7444",
        "log": {"listen": "0.0.0.0:7446", "signing_key": "log.pem", "keep_days": 89},
    }
    with pytest.raises(ValidationError, match=r"limits\.threshold_days still counts"):
        ExchangeSettings.model_validate(given)
    ExchangeSettings.model_validate(given | {"limits": {"threshold_days": 89}})


def test_what_a_consent_asks() -> None:
    fed = Federation()
    full, flags = DisclosureKind.DISCLOSURE_KIND_FULL, v1.DataCategory.DATA_CATEGORY_FLAGS
    threshold = v1.Disclosure(kind=DisclosureKind.DISCLOSURE_KIND_THRESHOLD, threshold=620)

    def asked(**fields: Any) -> Question | None:
        return question_of(fed.consent(fed.subject(), **fields).consent)

    assert asked(disclosure=v1.Disclosure(kind=full)) is None
    assert asked(disclosure=threshold) == Question(ALL, 620)
    assert asked(disclosure=threshold, providers=PROVIDERS[::-1]) == Question(ALL, 620)
    assert asked(disclosure=threshold, providers=PROVIDERS[1:]) == Question(FEWER, 620)
    assert asked(disclosure=v1.Disclosure(kind=DisclosureKind.DISCLOSURE_KIND_BAND)) == Question(
        ALL, BAND
    )
    assert asked(disclosure=threshold, data_categories=[flags]) is None
