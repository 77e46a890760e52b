"""`concordat wallet report`, all but the score: text, JSON, and the signed page that anybody checks."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from concordat import v1
from concordat.ids import new_id
from concordat.statements import seal
from exchange.log import records
from tests.builders import PROVIDERS, signer
from tests.unit.clients.cli.conftest import ListingDesk

ONE, TWO, _ = PROVIDERS
Wallet = tuple[str, str]


@pytest.fixture
def wallet(listed: ListingDesk) -> Wallet:
    listed.fake.own_answers = {ONE: 640, TWO: 600}
    option = listed.wallet()
    listed.fake.in_force()
    return option


def page_of(desk: ListingDesk, wallet: Wallet, *options: object) -> Path:
    path = desk.folder / "report.html"
    told = desk.json("wallet", "report", "--out", path, *options, *wallet)
    assert told["out"] == str(path)
    return path


def check(desk: ListingDesk, page: Path, code: int = 0) -> Any:
    return desk.json("wallet", "report-check", page, *desk.trust, code=code)


def test_the_text_has_listings_consents_rights_and_where_to_complain(
    listed: ListingDesk, wallet: Wallet
) -> None:
    result = listed.run("wallet", "report", *wallet)
    assert result.exit_code == 0, result.output
    for title in (
        "Listings about you, in every state",
        "Who asked for your data",
        "Your consents",
        "Your rights, and where to complain",
    ):
        assert title in result.stdout
    assert "concordat wallet erase" in result.stdout


def test_a_report_without_the_score_asks_no_provider(listed: ListingDesk, wallet: Wallet) -> None:
    told = listed.json("wallet", "report", "--no-score", *wallet)
    assert "RequestOwnView" not in listed.fake.seen
    assert "score" not in told
    (listing,) = told["report"]["listings"]
    assert listing["steps"][0]["kind"] == "ListingFiling"


def test_a_json_copy_is_shown_again_offline(listed: ListingDesk, wallet: Wallet) -> None:
    path = listed.folder / "report.json"
    listed.json("wallet", "report", "--out", path, *wallet)
    asked = len(listed.fake.seen["RequestReport"])
    again = listed.json("wallet", "report", "--from", path, *wallet)
    assert again["report"] == json.loads(path.read_text())["report"]
    assert len(listed.fake.seen["RequestReport"]) == asked


def test_the_page_needs_nothing_from_anywhere_and_runs_nothing(
    listed: ListingDesk, wallet: Wallet
) -> None:
    page = page_of(listed, wallet).read_text("utf-8")
    assert "<script" not in page
    assert "default-src 'none'" in page
    assert not re.findall(r"(?:src|href)=|url\(|@import", page)
    assert "@media print" in page
    assert check(listed, listed.folder / "report.html")["score"]


def test_a_page_is_shown_again_and_renders_to_the_same_bytes(
    listed: ListingDesk, wallet: Wallet
) -> None:
    page = page_of(listed, wallet)
    again = listed.folder / "again.html"
    listed.json("wallet", "report", "--from", page, "--out", again, *wallet)
    assert page.read_bytes() == again.read_bytes()


def test_every_altered_visible_byte_is_found(listed: ListingDesk, wallet: Wallet) -> None:
    page = page_of(listed, wallet, "--no-score")
    whole = page.read_bytes()
    text = whole.split(b'<template id="concordat-report">')[0]
    places = [m.start() for m in re.finditer(rb"[0-9A-Za-z]", text)]
    for place in (*places[:: len(places) // 12], places[-1]):
        letter = b"x" if whole[place : place + 1] != b"x" else b"y"
        page.write_bytes(whole[:place] + letter + whole[place + 1 :])
        assert "signed" in check(listed, page, code=2)["advice"]
    for altered in (whole.replace(b"</main>", b"<p>All paid.</p></main>"), whole + b"<p>More.</p>"):
        page.write_bytes(altered)
        check(listed, page, code=2)


# In Chinese ----------------------------------------------------------------------------------------


def test_the_text_is_in_chinese_with_times_and_money_as_chinese_writes_them(
    listed: ListingDesk, wallet: Wallet
) -> None:
    result = listed.run("wallet", "report", "--language", "zh", *wallet)
    assert result.exit_code == 0, result.output
    for words in ("您的评分", "您的权利", "€", "年"):
        assert words in result.stdout
    assert "Listings about you" not in result.stdout


@pytest.mark.parametrize(
    ("language", "tag", "name"), [("en", "en", "English"), ("zh", "zh-Hans", "Chinese")]
)
def test_a_pages_language_is_told_and_kept_when_it_is_shown_again(
    listed: ListingDesk, wallet: Wallet, language: str, tag: str, name: str
) -> None:
    page = page_of(listed, wallet, "--no-score", "--language", language)
    assert f'<html lang="{tag}">'.encode() in page.read_bytes()
    assert check(listed, page)["language"] == language
    assert f"in {name}" in listed.run("wallet", "report-check", page, *listed.trust).stdout
    again = listed.folder / "again.html"
    listed.json("wallet", "report", "--from", page, "--out", again, *wallet)
    assert again.read_bytes() == page.read_bytes()


def test_every_altered_chinese_letter_is_found(listed: ListingDesk, wallet: Wallet) -> None:
    page = page_of(listed, wallet, "--no-score", "--language", "zh")
    text = page.read_text("utf-8")
    places = [m.start() for m in re.finditer(r"[\u4e00-\u9fff]", text)]
    for place in (*places[:: len(places) // 6], places[-1]):
        page.write_text(f"{text[:place]}改{text[place + 1 :]}", "utf-8")
        assert "signed" in check(listed, page, code=2)["advice"]


def test_a_page_marked_with_another_language_than_its_words_is_refused(
    listed: ListingDesk, wallet: Wallet
) -> None:
    page = page_of(listed, wallet, "--no-score", "--language", "zh")
    whole = page.read_bytes()
    for other in (b"en", b"fr", b"zh"):
        page.write_bytes(whole.replace(b'<html lang="zh-Hans">', b'<html lang="%s">' % other))
        check(listed, page, code=2)


def test_a_json_copy_is_the_same_in_either_language(listed: ListingDesk, wallet: Wallet) -> None:
    page = page_of(listed, wallet)
    copies = []
    for language in ("en", "zh"):
        copy = listed.folder / f"{language}.json"
        listed.json(
            *("wallet", "report", "--from", page, "--out", copy, "--language", language), *wallet
        )
        copies.append(copy.read_bytes())
    assert copies[0] == copies[1]


def test_no_sentence_of_a_chinese_page_is_left_in_english(
    listed: ListingDesk, wallet: Wallet
) -> None:
    refused_attempt(listed)
    text = page_of(listed, wallet, "--language", "zh").read_text("utf-8")
    body = text.split("<body>")[1].split("<template")[0]
    lines = re.sub(r"<[^>]+>|concordat wallet [-\w ./]+", "\n", body).splitlines()
    assert [line for line in lines if re.search(r"\b[a-z]+ [a-z]+ [a-z]+\b", line)] == []


def test_a_page_whose_statements_were_exchanged_is_refused(
    listed: ListingDesk, wallet: Wallet
) -> None:
    page = page_of(listed, wallet, "--no-score")
    whole = page.read_bytes()
    signed = re.search(rb'report">([A-Za-z0-9+/=]+)<', whole)
    assert signed is not None
    middle = signed.start(1) + 1200
    letter = b"A" if whole[middle : middle + 1] != b"A" else b"B"
    page.write_bytes(whole[:middle] + letter + whole[middle + 1 :])
    assert listed.run("wallet", "report-check", page, *listed.trust).exit_code != 0
    page.write_bytes(b"<html></html>")
    check(listed, page, code=2)


def test_words_of_others_are_words_in_the_page_and_never_markup(
    listed: ListingDesk, wallet: Wallet
) -> None:
    listed.fake.stories.clear()
    listed.fake.in_force()
    own = listed.fake.stories[0].own()
    own.words.text = "<script>alert(1)</script>"
    listed.fake.stories[0].own = lambda: own  # type: ignore[method-assign]
    page = page_of(listed, wallet, "--no-score").read_text("utf-8")
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_a_report_about_somebody_else_or_not_the_exchanges_is_not_shown(
    listed: ListingDesk, wallet: Wallet, monkeypatch: pytest.MonkeyPatch
) -> None:
    genuine = seal
    monkeypatch.setattr(
        "tests.fake_listings.seal",
        lambda message, *signers: genuine(
            message,
            *([signer("mallory")] if isinstance(message, v1.SubjectReport) else signers),
        ),
    )
    told = listed.json("wallet", "report", "--no-score", *wallet, code=1)
    assert told["reason"] == "ANSWER_NOT_VERIFIED"


def refused_attempt(listed: ListingDesk) -> None:
    """Enter in the log that a lender's request about ada was refused."""
    request = v1.ViewRequest(
        lender="lender",
        disclosure=v1.Disclosure(kind=v1.DisclosureKind.DISCLOSURE_KIND_FULL),
        subject_ref=listed.fake.person.ref,
        purpose=v1.Purpose.PURPOSE_CREDIT_APPLICATION,
    )
    reason = v1.Reason.REASON_CONSENT_REVOKED
    at = listed.fake.federation.at
    listed.fake.log.add(records.refused_attempt(request, bytes(32), b"", new_id(), reason, at))


def test_accesses_are_told_and_one_that_is_left_out_is_found_by_the_log(
    listed: ListingDesk, wallet: Wallet
) -> None:
    refused_attempt(listed)
    told = listed.json("wallet", "report", "--no-score", *wallet)
    assert [access["reason"] for access in told["report"]["accesses"]] == ["CONSENT_REVOKED"]
    listed.fake.bend_report = lambda report: report.ClearField("accesses")
    told = listed.json("wallet", "report", "--no-score", *wallet, code=1)
    assert told["reason"] == "ANSWER_NOT_VERIFIED"
    assert "leaves out entry" in told["advice"]
