"""The regulator's desk: who may sign in and do what, all of it journalled; a forked log is found."""

import base64
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from clients.console.base.formats import written_in
from clients.console.desk import journal_words
from clients.console.desk.case_answer import answer_table
from clients.console.desk.challenge import parse_challenge, sign_challenge
from clients.console.desk.home import LOOK_UP
from clients.console.desk.journal import Journal
from clients.console.desk.site import _PAGES
from clients.sdk.errors import ClientError
from concordat import v1
from concordat.clock import to_timestamp
from concordat.statements import cosign
from concordat.trust.keys import key_id
from concordat.v1 import StatisticsTable as T
from concordat.verify.case import CaseAnswered
from tests.builders import LENDER, REGULATOR, signer
from tests.desk_builders import OFFICERS, DeskHouse, challenge_on, sign
from tests.listing_builders import FURNISHER
from tests.log_builders import DirLog, log_entries
from tests.page_client import HOME, OWN, PageClient
from tests.statistics_builders import day_tables, month_tables

PLAIN_PAGES = [path for path in _PAGES if "{" not in path]


@pytest.fixture
def house(tmp_path: Path) -> DeskHouse:
    return DeskHouse(tmp_path)


# Signing in -------------------------------------------------------------------------------------


def test_nobody_sees_a_page_before_signing_in(house: DeskHouse) -> None:
    browser = house.browser()
    for path in PLAIN_PAGES:
        assert browser.get(path).headers["location"] == "/sign-in"
    assert house.reader.asked == []


@pytest.mark.parametrize(("name", "role"), [(OFFICERS[1], "approver-2"), (REGULATOR, "desk")])
def test_a_key_of_the_licence_signs_in_and_is_named_in_the_journal(
    house: DeskHouse, name: str, role: str
) -> None:
    house.officer(name)
    (act,) = house.office.journal.read()
    assert (act.act, act.role, act.key_id) == ("sign-in", role, key_id(signer(name).public_key))


def test_a_foreign_key_does_not_sign_in(house: DeskHouse) -> None:
    browser = house.browser()
    assert house.sign_in(browser, LENDER).status_code == 403
    assert browser.get("/").headers["location"] == "/sign-in"
    assert house.acts() == [
        ("sign-in", "nobody", "refused: That key does not open this desk"),
    ]


def test_an_answer_counts_once_even_where_it_failed(house: DeskHouse) -> None:
    browser = house.browser()
    answer = house.answer(browser, OFFICERS[0])
    assert browser.submit("/sign-in", answer="rubbish").status_code == 422
    assert browser.submit("/sign-in", answer=answer).status_code == 403


def test_an_answer_is_not_replayed_in_another_session(house: DeskHouse) -> None:
    mine, other = house.browser(), house.browser()
    answer = house.answer(mine, OFFICERS[0])
    assert mine.submit("/sign-in", answer=answer).status_code == 303
    other.see("/sign-in")
    assert other.submit("/sign-in", answer=answer).status_code == 403
    mine.see("/sign-in")
    mine.submit("/sign-out")
    assert mine.submit("/sign-in", answer=answer).status_code == 403


def test_an_expired_challenge_is_refused_at_both_ends(house: DeskHouse) -> None:
    browser = house.browser()
    answer = house.answer(browser, OFFICERS[0])
    house.later(minutes=5)
    assert browser.submit("/sign-in", answer=answer).status_code == 403
    challenge = parse_challenge(challenge_on(browser.see("/sign-in")))
    with pytest.raises(ClientError, match="expired"):
        sign_challenge(challenge, signer(OFFICERS[0]), house.now() + timedelta(minutes=6))


def test_a_challenge_of_another_origin_or_desk_is_no_answer_here(house: DeskHouse) -> None:
    browser = house.browser()
    text = challenge_on(browser.see("/sign-in"))
    assert f"origin={HOME} " in text
    forged = parse_challenge(text.replace(HOME, "http://127.0.0.1:9"))
    answer = sign_challenge(forged, signer(OFFICERS[0]), house.now())
    assert browser.submit("/sign-in", answer=answer).status_code == 403


def test_a_signature_over_a_statement_signs_nobody_in(house: DeskHouse) -> None:
    browser = house.browser()
    answer = house.answer(browser, OFFICERS[0])
    bare = signer(OFFICERS[0]).sign(challenge_on(browser.see("/sign-in")).encode())
    forged = re.sub(r"signature=.*", f"signature={base64.b64encode(bare).decode()}", answer)
    assert browser.submit("/sign-in", answer=forged).status_code == 403


def test_an_officer_whom_the_licence_no_longer_names_is_out(house: DeskHouse) -> None:
    browser = house.officer(OFFICERS[0])
    role = v1.Role.ROLE_REGULATOR
    house.federation.enrol(REGULATOR, role, version=3, approvers=[])
    browser.see("/journal")
    assert browser.get("/cases").headers["location"] == "/sign-in"
    assert house.acts()[-1][:2] == ("signed-out", "nobody")
    assert "That form is out of date" in browser.submit("/sign-in", answer="").text
    house.federation.suspend(REGULATOR)
    assert house.sign_in(house.browser(), REGULATOR).status_code == 409


def test_a_session_ends_and_takes_the_officer_along(house: DeskHouse) -> None:
    browser = house.officer(OFFICERS[0])
    house.later(minutes=15)
    assert browser.get("/").status_code == 401


def test_signing_in_and_out_changes_the_forms_token(house: DeskHouse) -> None:
    browser = house.browser()
    browser.see("/sign-in")
    before = browser.csrf
    house.sign_in(browser, OFFICERS[0])
    browser.csrf = before
    assert browser.submit("/sign-out").status_code == 403
    browser.see("/sign-in")
    assert browser.submit("/sign-out").status_code == 303
    assert browser.get("/cases").headers["location"] == "/sign-in"


def test_a_form_of_another_site_does_nothing(house: DeskHouse) -> None:
    browser = house.officer(REGULATOR)
    form = {"csrf": browser.csrf, "member": LENDER, "act": "revoke", "basis": "x"}
    for headers in ({}, OWN | {"origin": "http://evil.example"}):
        assert browser.post("/licences/propose", data=form, headers=headers).status_code == 403
    del form["csrf"]
    assert browser.post("/licences/propose", data=form, headers=OWN).status_code == 403
    assert house.acts() == [("sign-in", "desk", "done")]


def test_a_colleague_gets_a_window_and_signs_in_with_its_own_key(house: DeskHouse) -> None:
    browser, other = house.officer(OFFICERS[0]), house.browser()
    other.cookies.clear()
    link = re.search(r"http://[^<\s]*/open/[\w-]+", browser.submit("/colleague").text)
    assert link is not None
    assert other.get(link[0]).status_code == 200
    assert other.get("/").headers["location"] == "/sign-in"


# Cases ------------------------------------------------------------------------------------------


def test_a_case_is_approved_by_two_who_sign_in_and_answered_once(house: DeskHouse) -> None:
    desk, first, second = (house.officer(name) for name in (REGULATOR, *OFFICERS[:2]))
    case_id = house.propose(desk)
    for browser, name in ((first, OFFICERS[0]), (second, OFFICERS[1])):
        browser.see(f"/cases/{case_id}")
        assert house.approve(browser, case_id, name).status_code == 303
    once = re.search(r'name="once" value="([\w-]+)"', desk.see(f"/cases/{case_id}").text)
    assert once is not None
    answer = desk.submit(f"/cases/{case_id}/look-up", scope="2", once=once[1])
    assert "some-lender" in answer.text
    assert answer.headers["cache-control"] == "no-store"
    again = desk.submit(f"/cases/{case_id}/look-up", scope="2", once=once[1])
    assert again.status_code == 409
    assert house.reader.asked.count(case_id) == 1
    assert [each for each in house.acts() if each[0].startswith("case-")] == [
        ("case-propose", "desk", "done"),
        ("case-handed-out", "approver-1", "done"),
        ("case-approve", "approver-1", "done"),
        ("case-handed-out", "approver-2", "done"),
        ("case-approve", "approver-2", "done"),
        ("case-look-up", "desk", "begun"),
        ("case-look-up", "desk", "answered, entry 4711"),
    ]
    kept = b"".join(path.read_bytes() for path in house.folder.rglob("*") if path.is_file())
    assert b"some-lender" not in kept
    subject = house.federation.subject().ref
    assert subject.hex() not in house.folder.joinpath("desk", "journal.jsonl").read_text()


def test_what_a_case_shows_is_in_the_visitors_language() -> None:
    at = to_timestamp(datetime(2026, 10, 1, tzinfo=UTC))
    purpose = v1.Purpose.PURPOSE_CREDIT_APPLICATION
    frozen = v1.Reason.REASON_SUBJECT_FROZEN
    access = v1.CaseAccess(lender="a-lender", purpose=purpose, recorded_at=at, refusal=frozen)
    state = v1.ListingState.LISTING_STATE_UNDER_REVIEW
    listing = v1.OwnListing(state=state, basis=v1.ListingBasis.LISTING_BASIS_LOAN, expires_at=at)
    page = v1.CasePage(accesses=[access], listings=[listing])
    shown = [CaseAnswered(v1.CaseAnswer(issued_at=at), page, 1)]
    with written_in("zh"):
        rows = [
            row for scope in v1.CaseScope.values()[1:3] for row in answer_table(shown, scope).rows
        ]
    words = " ".join(cell for row in rows for cell in row)
    assert re.findall(r"[a-z]{3,}", words.replace("a-lender", "")) == []
    assert "2026年10月1日" in words
    assert "SUBJECT_FROZEN: " in words


def test_an_approver_does_not_approve_twice(house: DeskHouse) -> None:
    officer = house.officer(OFFICERS[0])
    case_id = house.propose(officer)
    assert house.approve(officer, case_id, OFFICERS[0]).status_code == 303
    again = house.upload(officer, case_id, house.case(officer, case_id))
    assert again.status_code == 422
    assert "another approver has to" in again.text
    assert len(house.case(officer, case_id).signatures) == 1


def test_who_signed_in_brings_no_other_approval_than_its_own(house: DeskHouse) -> None:
    officer = house.officer(OFFICERS[0])
    case_id = house.propose(officer)
    assert house.approve(officer, case_id, OFFICERS[1]).status_code == 422
    assert house.approve(officer, case_id, OFFICERS[0], OFFICERS[1]).status_code == 303
    (signature,) = house.case(officer, case_id).signatures
    assert signature.keyid == key_id(signer(OFFICERS[0]).public_key)


def test_the_desks_own_key_approves_nothing_and_approvers_look_nobody_up(house: DeskHouse) -> None:
    desk, officer = house.officer(REGULATOR), house.officer(OFFICERS[0])
    case_id = house.propose(desk)
    assert house.approve(desk, case_id, REGULATOR).status_code == 403
    assert officer.submit(f"/cases/{case_id}/look-up", scope="2", once="x").status_code == 403
    assert house.reader.asked == []


def test_a_case_with_too_few_approvals_is_not_looked_up(house: DeskHouse) -> None:
    desk, officer = house.officer(REGULATOR), house.officer(OFFICERS[0])
    case_id = house.propose(desk)
    house.approve(officer, case_id, OFFICERS[0])
    page = desk.see(f"/cases/{case_id}")
    assert 'name="once"' not in page.text
    (session,) = (each for each in house.site.sessions._open.values() if each.csrf == desk.csrf)
    once = str(session.kept["look-up-once"])
    assert desk.submit(f"/cases/{case_id}/look-up", scope="2", once=once).status_code == 409
    assert house.reader.asked == []


def test_another_case_and_a_broken_signature_are_not_taken(house: DeskHouse) -> None:
    officer = house.officer(OFFICERS[0])
    case_id, other = house.propose(officer), house.propose(officer, reference="FR/2026-0118")
    foreign = house.case(officer, other)
    sign(foreign, OFFICERS[0])
    assert house.upload(officer, case_id, foreign).status_code == 422
    case = house.case(officer, case_id)
    sign(case, OFFICERS[0])
    case.signatures[0].sig = bytes(64)
    assert house.upload(officer, case_id, case).status_code == 422
    assert not house.case(officer, case_id).signatures


@pytest.mark.parametrize(
    "fields", [{"subject": "ab"}, {"scope": "9"}, {"days": "366"}, {"days": "5", "tell_in": "6"}]
)
def test_a_case_that_cannot_be_is_not_proposed(house: DeskHouse, fields: dict[str, str]) -> None:
    officer = house.officer(OFFICERS[0])
    subject = house.federation.subject().ref.hex()
    given = {"subject": subject, "article": "Art. 1", "reference": "FR/1", "scope": "1"}
    assert officer.submit("/cases/propose", **(given | fields)).status_code == 422
    assert house.office.cases.all() == []


# Licences and orders ----------------------------------------------------------------------------


def test_a_suspension_goes_from_proposal_to_force_with_signatures_made_offline(
    house: DeskHouse,
) -> None:
    desk, fed = house.officer(REGULATOR), house.federation
    form = {"member": LENDER, "act": "suspend", "basis": "Order 631 art. 41"}
    assert desk.submit("/licences/propose", **form).status_code == 303
    name = f"{LENDER}-status-1.draft.env"
    assert name in desk.see("/licences").text
    assert desk.submit("/licences/submit", name=name).status_code == 422
    assert house.reader.submitted == []
    for root in fed.roots[:2]:
        draft = v1.Envelope.FromString(desk.get(f"/licences/{name}").content)
        del draft.signatures[:]
        cosign(draft, root)
        files = {"draft": ("whatever.env", draft.SerializeToString())}
        assert desk.submit("/licences/upload", files=files).status_code == 303
    page = desk.get("/licences").text
    assert page.index("nothing at this desk takes it back") < page.index(">Put in force<")
    assert page.index("taken out of this desk") < page.index(">Put away<")
    complete = name.replace(".draft", "")
    officer = house.officer(OFFICERS[0])
    assert officer.submit("/licences/submit", name=complete).status_code == 403
    assert desk.submit("/licences/submit", name=complete).status_code == 303
    (status,) = house.reader.submitted
    assert len(status.signatures) == 2
    assert ("submit", "desk", "done") in house.acts()


def test_a_draft_that_no_root_signed_is_not_taken(house: DeskHouse) -> None:
    desk = house.officer(REGULATOR)
    desk.submit("/licences/propose", member=LENDER, act="renew", days="3650")
    name = f"{LENDER}-licence-2.draft.env"
    draft = v1.Envelope.FromString(desk.get(f"/licences/{name}").content)
    sign(draft, "a stranger")
    files = {"draft": ("x", draft.SerializeToString())}
    assert desk.submit("/licences/upload", files=files).status_code == 422
    for path in ("..%2Fjournal.jsonl", "journal.jsonl", "../../desk/journal.jsonl"):
        assert desk.get(f"/licences/{path}").status_code in {404, 422}


def test_an_order_is_given_with_the_desks_own_key_alone(house: DeskHouse) -> None:
    desk, officer = house.officer(REGULATOR), house.officer(OFFICERS[0])
    order = {
        "furnisher": FURNISHER,
        "listing": "ab" * 16,
        "subject": "cd" * 32,
        "action": "2",
        "fact": "1",
        "article": "Order 631 art. 25",
    }
    assert officer.submit("/orders/give", **order).status_code == 403
    assert desk.submit("/orders/give", **(order | {"listing": "zz"})).status_code == 422
    assert desk.submit("/orders/give", **order).status_code == 303
    (order_id,) = house.reader.orders
    assert order_id.hex() in desk.get("/orders").text


# The log ----------------------------------------------------------------------------------------


def test_the_verify_button_shows_the_proof_that_the_log_only_grew(house: DeskHouse) -> None:
    officer = house.officer(OFFICERS[0])
    assert "First look" in officer.submit("/log/verify").text
    assert "nothing added since" in officer.submit("/log/verify").text
    older = house.log.root()
    house.log.append(log_entries(300, 700))
    page = officer.submit("/log/verify").text
    assert "Verified here" in page
    assert older.hex() in page
    assert house.log.root().hex() in page
    assert len(re.findall(r"<li><code>[0-9a-f]{64}", page)) > 3


def test_the_verify_button_finds_a_forked_log(house: DeskHouse) -> None:
    officer = house.officer(OFFICERS[0])
    officer.submit("/log/verify")
    fork = DirLog(house.folder / "fork", origin=house.log.origin)
    fork.signer = house.log.signer
    fork.append(log_entries(0, 299)).append(log_entries(299, 700, branch="other"))
    honest, house.log = house.log, fork
    page = officer.submit("/log/verify").text
    assert "FORK_DETECTED" in page
    assert "What it signed before" in page
    (evidence,) = (house.folder / "desk" / "log").glob("evidence-*")
    assert (evidence / "kept.checkpoint").read_bytes() == honest.note
    assert (evidence / "seen.checkpoint").read_bytes() == fork.note
    assert house.acts()[-1] == ("log-verify", "approver-1", "FORK_DETECTED")
    house.log = honest
    assert "FORK_DETECTED" not in officer.submit("/log/verify").text


# Figures ----------------------------------------------------------------------------------------


def tell(house: DeskHouse) -> tuple[str, str]:
    """Have the exchange tell of yesterday and of last month; return their names."""
    day = (house.now() - timedelta(days=1)).date().isoformat()
    month = (house.now().replace(day=1) - timedelta(days=1)).strftime("%Y-%m")
    house.reader.told = {day: day_tables(day, 120), month: month_tables()}
    return day, month


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("told", [True, False])
def test_each_page_renders_in_both_languages(house: DeskHouse, language: str, told: bool) -> None:
    if told:
        tell(house)
    browser = house.officer(REGULATOR)
    house.propose(browser)
    browser.submit("/licences/propose", member=LENDER, act="suspend", basis="Art. 1")
    (case,) = house.office.cases.all()
    case_id = v1.CaseRequest.FromString(case.payload).case_id.hex()
    for path in [*PLAIN_PAGES, "/sign-in", f"/cases/{case_id}"]:
        page = browser.get(path, params={"lang": language})
        assert page.status_code == 200, page.text
        assert page.text.count("<h1>") == 1
        tag = {"en": "en", "zh": "zh-Hans"}[language]
        assert f'<html lang="{tag}">' in page.text
        assert page.headers["content-security-policy"].startswith("default-src 'none'")


def test_the_first_page_is_the_regulators_own_look_ups(house: DeskHouse) -> None:
    tell(house)
    page = house.officer(REGULATOR).get("/").text
    assert page.index("1,050") < page.index("2,000")
    assert page.index("Our own case look-ups") < page.index("1,050")


def test_every_page_says_of_which_federation_it_is_so_that_no_sandbox_is_taken_for_another(
    house: DeskHouse,
) -> None:
    named = f'<span class="federation">{house.office.anchors.federation}</span>'
    browser = house.officer(REGULATOR)
    assert all(named in browser.get(path).text for path in PLAIN_PAGES)
    assert named not in PageClient(house.site).get("/").text  # nothing to who was not let in


def test_another_language_keeps_what_was_chosen_on_the_page(house: DeskHouse) -> None:
    page = house.officer(REGULATOR).get("/traffic?days=7&lang=en").text
    assert 'href="/traffic?days=7&amp;lang=zh"' in page


def test_a_day_that_tells_nothing_is_a_gap_and_no_zero(house: DeskHouse) -> None:
    tell(house)
    page = house.officer(REGULATOR).get("/traffic?days=7").text
    assert "7 days; 6 of them tell no number" in page
    assert page.count("fewer than 10*") >= 6
    assert "120" in page


def test_a_period_is_read_once(house: DeskHouse) -> None:
    day, month = tell(house)
    browser = house.officer(REGULATOR)
    for _ in range(3):
        assert browser.get(f"/listings?month={month}").status_code == 200
    assert house.reader.asked == [day, month]
    browser.get("/listings?month=1999-01")
    assert "1999-01" not in house.reader.asked


def test_no_page_lists_a_subject(house: DeskHouse) -> None:
    tell(house)
    browser = house.officer(REGULATOR)
    house.propose(browser)
    subject = house.federation.subject().ref.hex()
    assert all(subject not in browser.get(path).text for path in PLAIN_PAGES)


def test_what_members_are_called_is_no_markup(house: DeskHouse) -> None:
    role = v1.Role.ROLE_LENDER
    house.federation.enrol("odd-lender", role, legal_name="<script>alert(1)</script>")
    page = house.officer(REGULATOR).get("/members").text
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


# The journal ------------------------------------------------------------------------------------


def test_a_changed_journal_is_found_out(house: DeskHouse) -> None:
    browser = house.officer(REGULATOR)
    house.propose(browser)
    path = house.folder / "desk" / "journal.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    first = json.loads(lines[0]) | {"role": "approver-1"}
    path.write_bytes(json.dumps(first).encode() + b"\n" + b"".join(lines[1:]))
    with pytest.raises(ClientError, match="does not follow"):
        Journal(path, house.now)
    assert browser.get("/journal").status_code == 422
    path.write_bytes(b"".join(lines[1:]))
    with pytest.raises(ClientError, match="line 1"):
        Journal(path, house.now)


def test_the_journal_is_read_in_the_visitors_language_and_kept_in_its_own(house: DeskHouse) -> None:
    day = house.now().strftime("%Y-%m-%d")
    house.sign_in(house.browser(), LENDER)
    browser = house.officer(OFFICERS[0])
    house.office.journal.note(None, "of a newer desk", "123 entries", "3 of 5 serve")
    page = browser.get("/journal", params={"lang": "zh"}).text
    rows = page[page.index("<tbody") :]
    for said in (
        "登录",
        "批准人 1",
        "用密钥签署的质询",
        "该密钥不能打开本工作台",
        "123 条",
    ):
        assert said in rows, said
    assert "of a newer desk" in rows
    assert day not in rows
    assert all(word not in rows for word in ("sign-in", "nobody", "refused", "done", "serve"))
    (refused, *_) = house.acts()
    assert refused == ("sign-in", "nobody", "refused: That key does not open this desk")


def test_pages_name_days_and_months_as_their_language_does(house: DeskHouse) -> None:
    tell(house)
    browser = house.officer(REGULATOR)
    for path in ("/", "/traffic", "/latency", "/members", "/listings", "/disputes"):
        page = browser.get(path, params={"lang": "zh"}).text
        words = re.sub(r"<[^>]*>", " ", page[page.index("<main") :])
        assert re.findall(r"\d{4}-\d{2}", words) == [], path


def test_every_act_that_the_desk_notes_has_words() -> None:
    desk = Path(journal_words.__file__).parent
    source = "".join(path.read_text() for path in desk.glob("*.py"))
    plain = set(re.findall(r'journal\.note\(\s*(?:officer|None),\s*"([\w-]+)"', source))
    proposed = {f"propose-{act}" for act in ("renew", "suspend", "reinstate", "revoke")}
    assert len(plain) > len(proposed)
    with written_in("zh"):
        said = {act: journal_words.act_words(act) for act in {*plain, *proposed, LOOK_UP}}
    assert [act for act, words in said.items() if re.search(r"[a-z]", words)] == []


def test_the_journal_is_gone_on_with_after_a_restart(house: DeskHouse) -> None:
    house.officer(REGULATOR)
    path = house.folder / "desk" / "journal.jsonl"
    Journal(path, house.now).note(None, "again")
    assert [each.act for each in Journal(path, house.now).read()] == ["sign-in", "again"]


def test_tables_of_the_month_are_those_of_the_statistics(house: DeskHouse) -> None:
    _, month = tell(house)
    assert set(house.office.reading.month(month)) >= {T.STATISTICS_TABLE_LISTINGS}
