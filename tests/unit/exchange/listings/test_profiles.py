"""The jurisdictions' limits are those of the rules, an operator can add its own, and no bad one gets in."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from concordat import v1
from concordat.refusal import Refusal
from concordat.v1 import AmountBand, ListingKind, Reason
from exchange.listings.profile import ProfileError, Profiles, Repair, Span, parse_profile
from tests.listing_builders import OWN, OWN_PROFILE, profile

DEBT, JUDGMENT = ListingKind.LISTING_KIND_DEBT, ListingKind.LISTING_KIND_JUDGMENT
YEAR = 12  # months


def days(count: int) -> Span:
    return Span(days=count)


def years(count: int) -> Span:
    return Span(months=count * YEAR)


def day(year: int, month: int, of_month: int) -> datetime:
    return datetime(year, month, of_month, 15, 30, tzinfo=UTC)


# The table "Jurisdiction profiles", row by row --------------------------------------------------


def test_the_european_union() -> None:
    eu = profile("eu")
    assert (eu.currency, eu.notice, eu.dispute, eu.extension) == (
        "EUR",
        days(30),
        days(30),
        days(60),
    )
    debt, judgment = eu.limits(DEBT), eu.limits(JUDGMENT)
    assert (debt.life, debt.after_settlement) == (years(6), years(3))
    # A judgment's end is its register's; the profile only caps it.
    assert (judgment.life, judgment.after_settlement) == (years(6), None)
    assert (debt.while_disputed, judgment.while_disputed) == ("suppress", "suppress")


def test_the_united_states() -> None:
    us = profile("us")
    assert (us.currency, us.notice, us.dispute, us.extension) == (
        "USD",
        days(30),
        days(30),
        days(15),
    )
    debt, judgment = us.limits(DEBT), us.limits(JUDGMENT)
    assert (debt.life, debt.after_settlement) == (Span(7 * YEAR, 180), None)
    assert (judgment.life, judgment.after_settlement) == (years(7), None)
    assert (debt.while_disputed, judgment.while_disputed) == ("suppress", "mark")


def test_china() -> None:
    cn = profile("cn")
    assert (cn.currency, cn.notice, cn.dispute, cn.extension) == ("CNY", days(30), days(20), None)
    debt, judgment = cn.limits(DEBT), cn.limits(JUDGMENT)
    assert (debt.life, debt.after_settlement) == (years(7), years(5))
    assert (judgment.life, judgment.prolonged_by_court) == (years(2), years(3))
    assert (debt.while_disputed, judgment.while_disputed) == ("suppress", "mark")


def test_india() -> None:
    india = profile("in")
    assert (india.currency, india.notice, india.dispute) == ("INR", days(36), days(30))
    debt, judgment = india.limits(DEBT), india.limits(JUDGMENT)
    assert (india.extension, debt.life, judgment.life) == (None, years(7), years(7))
    assert (debt.while_disputed, judgment.while_disputed) == ("suppress", "mark")


def test_the_united_kingdom() -> None:
    uk = profile("uk")
    assert (uk.currency, uk.notice, uk.dispute, uk.extension) == ("GBP", days(28), days(28), None)
    debt, judgment = uk.limits(DEBT), uk.limits(JUDGMENT)
    assert (debt.life, judgment.life) == (years(6), years(6))
    assert judgment.repair == (Repair(ends="withdrawn", paid_within=Span(months=1)),)
    assert (debt.while_disputed, judgment.while_disputed) == ("suppress", "mark")


@pytest.mark.parametrize("name", ["eu", "us", "cn", "in", "uk"])
def test_what_is_the_same_in_all_jurisdictions(name: str) -> None:
    limits = profile(name)
    assert (limits.appeal_within, limits.appeal) == (days(10), days(15))
    assert limits.limits(DEBT).while_disputed == "suppress"
    assert limits.limits(DEBT).repair == ()
    assert limits.floor_minor > 0
    # Only a court's own order, and only in China, makes an entry last longer.
    assert limits.limits(DEBT).prolonged_by_court is None
    assert (limits.limits(JUDGMENT).prolonged_by_court is not None) == (name == "cn")
    # Nobody has less than four weeks to answer a notice.
    assert limits.notice.days >= 28


def test_amounts_fall_into_bands_whose_lower_limit_is_their_own() -> None:
    small, moderate, large, very_large = [*AmountBand.values()][1:]
    found = [profile("eu").band(minor) for minor in (0, 99_999, 100_000, 999_999, 1_000_000)]
    assert found == [small, small, moderate, moderate, large]
    assert [profile("eu").band(minor) for minor in (9_999_999, 10_000_000)] == [large, very_large]


# Profiles by licence ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("enum", "name"),
    [
        (v1.Profile.PROFILE_EU, "eu"),
        (v1.Profile.PROFILE_US, "us"),
        (v1.Profile.PROFILE_CN, "cn"),
        (v1.Profile.PROFILE_IN, "in"),
        (v1.Profile.PROFILE_UK, "uk"),
    ],
)
def test_each_profile_of_the_contract_comes_with_the_package(
    enum: v1.Profile.ValueType, name: str
) -> None:
    assert Profiles.load().name_of(v1.Licence(profile=enum)) == name


def test_the_contract_has_no_profile_that_the_package_lacks() -> None:
    for enum in v1.Profile.values():
        if enum not in (v1.Profile.PROFILE_UNSPECIFIED, v1.Profile.PROFILE_OWN):
            Profiles.load().name_of(v1.Licence(profile=enum))


def test_an_operator_adds_a_profile_that_a_licence_names(tmp_path: Path) -> None:
    (tmp_path / f"{OWN}.toml").write_text(OWN_PROFILE)
    profiles = Profiles.load(tmp_path)
    name = profiles.name_of(v1.Licence(profile=v1.Profile.PROFILE_OWN, own_profile=OWN))
    assert name == OWN
    assert profiles[name] == profile(OWN)
    assert profiles["eu"] == profile("eu")  # and the others stay what they are


def test_a_licence_with_a_profile_that_is_not_here_is_not_in_force() -> None:
    for licence in (
        v1.Licence(profile=v1.Profile.PROFILE_OWN, own_profile="lemuria"),
        v1.Licence(profile=v1.Profile.PROFILE_UNSPECIFIED),
    ):
        with pytest.raises(Refusal) as told:
            Profiles.load().name_of(licence)
        assert told.value.reason == Reason.REASON_LICENCE_NOT_IN_FORCE


# Bad profiles -----------------------------------------------------------------------------------

NOTICE = 'notice = "14d"'
BANDS = "[10_000, 100_000, 1_000_000]"


@pytest.mark.parametrize(
    ("written", "instead", "field"),
    [
        (NOTICE, "", "notice"),
        (NOTICE, 'notice = "14"', "notice"),
        (NOTICE, 'notice = ""', "notice"),
        (NOTICE, "notice = 14", "notice"),
        (NOTICE, 'notice = "14d1m"', "notice"),
        (NOTICE, 'notice = "-14d"', "notice"),
        (NOTICE, 'notice = "\u0663d"', "notice"),  # an Arabic-Indic three
        (NOTICE, f'{NOTICE}\nnotise = "3d"', "notise"),
        ('dispute = "10d"', 'dispute = "soon"', "dispute"),
        ('currency = "ATL"', 'currency = "Atl"', "currency"),
        ("floor_minor = 1_000", "floor_minor = -1", "floor_minor"),
        ("floor_minor = 1_000", "floor_minor = true", "floor_minor"),
        ("floor_minor = 1_000", "floor_minor = 10.0", "floor_minor"),
        ("floor_minor = 1_000", 'floor_minor = "1000"', "floor_minor"),
        (BANDS, "[10_000, 100_000]", "bands_minor"),
        (BANDS, "[10_000, 10_000, 1_000_000]", "bands_minor"),
        (BANDS, "[10_000, 1_000_000, 100_000]", "bands_minor"),
        (BANDS, "[-1, 100_000, 1_000_000]", "bands_minor"),
        ('life = "4y"', 'life = "for ever"', "debt.life"),
        ('after_settlement = "2y"', 'after_settlement = "2"', "debt.after_settlement"),
        ('while_disputed = "mark"', 'while_disputed = "show"', "debt.while_disputed"),
        ('ends = "repaired"', 'ends = "effective"', "debt.repair.0.ends"),
        ("up_to_minor = 50_000", "up_to_minor = -1", "debt.repair.0.up_to_minor"),
        ('prolonged_by_court = "2y"', "prolonged_by_court = 2", "judgment.prolonged_by_court"),
    ],
)
def test_a_bad_profile_is_refused_with_its_file_and_field(
    tmp_path: Path, written: str, instead: str, field: str
) -> None:
    assert written in OWN_PROFILE
    file = tmp_path / f"{OWN}.toml"
    file.write_text(OWN_PROFILE.replace(written, instead, 1))
    with pytest.raises(ProfileError) as told:
        Profiles.load(tmp_path)
    assert str(told.value).startswith(f"{file}: {field}")


@pytest.mark.parametrize("field", ["notice", "dispute", "extension", "appeal_within", "appeal"])
def test_no_profile_can_take_away_the_notice_or_the_time_to_be_heard(field: str) -> None:
    lines = [
        f'{field} = "0d"' if line.startswith(f"{field} =") else line
        for line in OWN_PROFILE.splitlines()
    ]
    with pytest.raises(ProfileError, match=f"own.toml: {field}: .*longer than nothing"):
        parse_profile("\n".join(lines), "own.toml")


@pytest.mark.parametrize("content", [b"notice = ", b"\xff\xfe", b'notice = "14d"\nnotice = "15d"'])
def test_a_file_that_is_no_profile_at_all_is_named(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "broken.toml"
    file.write_bytes(content)
    with pytest.raises(ProfileError, match=r"broken\.toml: "):
        Profiles.load(tmp_path)


def test_an_operator_cannot_change_a_built_in_profile(tmp_path: Path) -> None:
    (tmp_path / "eu.toml").write_text(OWN_PROFILE)
    with pytest.raises(ProfileError, match=r"eu\.toml: the name 'eu' is a built-in profile's"):
        Profiles.load(tmp_path)


def test_a_folder_that_is_not_there_is_an_error_and_not_an_empty_one(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match="nowhere: there is no such folder"):
        Profiles.load(tmp_path / "nowhere")


# Calendar time ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("span", "start", "end"),
    [
        (Span(1), day(2026, 1, 31), day(2026, 2, 28)),
        (Span(1), day(2028, 1, 31), day(2028, 2, 29)),
        (Span(1), day(2026, 3, 31), day(2026, 4, 30)),
        (Span(1), day(2026, 12, 15), day(2027, 1, 15)),
        (Span(3), day(2025, 11, 30), day(2026, 2, 28)),
        (Span(12), day(2028, 2, 29), day(2029, 2, 28)),
        (Span(48), day(2028, 2, 29), day(2032, 2, 29)),
        (Span(12), day(2096, 2, 29), day(2097, 2, 28)),
        (Span(48), day(2096, 2, 29), day(2100, 2, 28)),  # 2100 is no leap year
        (Span(84, 180), day(2026, 1, 1), day(2033, 6, 30)),
        (Span(84, 180), day(2024, 2, 29), day(2031, 8, 27)),  # first to 28 February 2031
        (Span(0, 30), day(2026, 2, 1), day(2026, 3, 3)),
        (Span(0, 30), day(2028, 2, 1), day(2028, 3, 2)),
        (Span(), day(2026, 5, 5), day(2026, 5, 5)),
    ],
)
def test_years_and_months_are_the_calendars_then_come_days(
    span: Span, start: datetime, end: datetime
) -> None:
    assert span.after(start) == end


def test_a_later_start_never_has_an_earlier_end() -> None:
    """So that no limit is shortened by what is later, at whatever length of month."""
    for span in (Span(1), Span(3), Span(12), Span(7 * YEAR, 180)):
        ends = [span.after(day(2027, 12, 1) + timedelta(days=n)) for n in range(500)]
        assert ends == sorted(ends)
