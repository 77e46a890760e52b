"""The notice says everything that the consent does, in each language, and can be made again."""

import hashlib

import pytest

from clients.sdk import ConsentTerms, NoticeLanguageError, make_consent, notice_hash, render_notice
from clients.sdk.notice_texts import CATALOG
from concordat import v1
from concordat.statements import seal
from tests.builders import AT, LENDER, NAME, PROVIDERS, signer

REF = b"\x05" * 32
KIND = v1.DisclosureKind


def consent(**fields: object) -> v1.Consent:
    terms = ConsentTerms(recipient=LENDER, providers=PROVIDERS, **fields)  # type: ignore[arg-type]
    return make_consent(terms, NAME, REF, AT)


@pytest.mark.parametrize("language", CATALOG)
def test_the_notice_names_who_what_why_how_long_and_how_often(language: str) -> None:
    made = consent(language=language, valid_days=14, data_life_days=45)
    notice = render_notice(made)
    for part in (LENDER, *PROVIDERS, "2026-06-01 12:00 UTC", "2026-06-15 12:00 UTC", "45", NAME):
        assert part in notice
    assert made.consent_id.hex() in notice
    assert CATALOG[language].purposes[made.purpose] in notice
    assert "{" not in notice


@pytest.mark.parametrize("language", CATALOG)
@pytest.mark.parametrize("purpose", list(v1.Purpose.values())[1:])
@pytest.mark.parametrize("kind", list(KIND.values())[1:])
def test_every_choice_of_the_contract_has_words(
    language: str, purpose: v1.Purpose.ValueType, kind: v1.DisclosureKind.ValueType
) -> None:
    threshold = 620 if kind == KIND.DISCLOSURE_KIND_THRESHOLD else 0
    notice = render_notice(
        consent(language=language, purpose=purpose, disclosure=kind, threshold=threshold)
    )
    assert ("620 " in notice) == bool(threshold)


@pytest.mark.parametrize("language", CATALOG)
@pytest.mark.parametrize("period", list(v1.Period.values())[1:])
def test_every_period_has_words(language: str, period: v1.Period.ValueType) -> None:
    frequency = v1.Frequency(uses=3, period=period)
    notice = render_notice(consent(language=language, frequency=frequency, max_uses=11))
    assert "3" in notice
    assert "11" in notice


def test_every_language_covers_every_data_category() -> None:
    for texts in CATALOG.values():
        assert set(texts.categories) == set(v1.DataCategory.values()[1:])


def test_the_hash_is_that_of_the_words_and_comes_out_again() -> None:
    made = consent()
    assert made.notice_hash == hashlib.sha256(render_notice(made).encode()).digest()
    copy = v1.Consent.FromString(seal(made, signer("ada")).payload)
    assert notice_hash(copy) == copy.notice_hash


def test_other_terms_make_another_hash() -> None:
    made = consent()
    before = made.notice_hash
    made.data_life_days += 1
    assert notice_hash(made) != before


def test_a_language_without_a_notice_is_refused() -> None:
    with pytest.raises(NoticeLanguageError, match="zh-Hans"):
        consent(language="tlh")


SCORE, LISTINGS, FLAGS = v1.DataCategory.values()[1:]


@pytest.mark.parametrize("language", CATALOG)
def test_what_else_is_shared_is_said_outright(language: str) -> None:
    texts = CATALOG[language]
    lines = {
        LISTINGS: texts.listings_shared.format(recipient=LENDER),
        FLAGS: texts.flags_shared.format(recipient=LENDER),
    }
    for categories in ([SCORE], [LISTINGS], [FLAGS], [SCORE, LISTINGS, FLAGS]):
        notice = render_notice(consent(language=language, categories=categories))
        for category, line in lines.items():
            assert (line in notice) == (category in categories)
        assert (texts.no_score in notice) == (SCORE not in categories)
        assert (texts.nobody_asked in notice) == (SCORE not in categories)
        assert (PROVIDERS[0] in notice) == (SCORE in categories)


def test_the_notice_of_a_score_alone_is_the_one_that_was_agreed_to_before() -> None:
    made = consent()
    made.consent_id = bytes(16)
    assert render_notice(made).count("shared") == 0
    assert notice_hash(made).hex().startswith("39a9b2c42a04d77a")


def test_no_score_is_written_as_if_it_were_told_in_full() -> None:
    made = consent(categories=[LISTINGS], disclosure=KIND.DISCLOSURE_KIND_FULL)
    assert made.disclosure.kind == KIND.DISCLOSURE_KIND_BAND
    waiver = v1.Purpose.PURPOSE_DEPOSIT_WAIVER
    threshold = KIND.DISCLOSURE_KIND_THRESHOLD
    made = consent(categories=[FLAGS], purpose=waiver, disclosure=threshold, threshold=600)
    assert made.disclosure.threshold == 600


def test_the_english_notice_reads_like_this() -> None:
    made = consent(disclosure=KIND.DISCLOSURE_KIND_BAND)
    assert render_notice(made).splitlines()[:6] == [
        "Consent to disclose credit information",
        "",
        "Who receives it: lendwell, and nobody else.",
        "What for: to decide on credit that you applied for. No other use is allowed.",
        "What is disclosed: credit scores.",
        "How much of it: only the band of the unified score (A to E).",
    ]
