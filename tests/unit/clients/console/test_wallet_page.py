"""The wallet's page: everything a person does there, in both languages, and what others may try through it."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import pytest
import typer
from typer.core import TyperGroup

from clients.cli.wallet import app as wallet
from clients.console.wallet.app import MENU
from clients.console.wallet.granting import UNLAWFUL
from clients.sdk.subject_report import make_erasure_request
from clients.wallet_report.page import check_page
from concordat import v1
from concordat.clock import to_timestamp
from concordat.federation.evidence import open_evidence
from concordat.federation.purposes import require_purpose_allows
from concordat.ids import new_id
from concordat.refusal import Refusal
from concordat.statements import digest_of, seal
from concordat.v1 import Reason
from concordat.verify.receipt import open_receipt
from concordat.verify.receipt_file import parse_receipt
from exchange.log import records
from tests.builders import LENDER, PROVIDERS, signer
from tests.history_builders import intent
from tests.own_listing_builders import SEALING_KEYS
from tests.unit.clients.console.conftest import Opened

DOWN = [Refusal(Reason.REASON_UNAVAILABLE)] * 4
EVIL = "<script>alert(1)</script><img src=x onerror=alert(1)>"


class Outline(HTMLParser):
    """What a screen reader goes by, and anything that could run."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.language = ""
        self.labelled: set[str] = set()
        self.inputs: list[str] = []
        self.faults: list[str] = []
        self.ids: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.tags.append(tag)
        self.faults += [name for name in found if name.startswith("on") or name == "style"]
        if "id" in found:
            self.ids.append(found["id"])
        if tag == "html":
            self.language = found["lang"]
        if tag == "label":
            self.labelled.add(found["for"])
        if tag in {"input", "select", "textarea"} and found.get("type") != "hidden":
            self.inputs.append(found["id"])
        if tag in {"img", "script", "iframe", "object", "style"}:
            self.faults.append(tag)


def sound(html: str, language: str) -> None:
    """One h1, the landmarks, a label for each field, a caption for each table, nothing that runs."""
    outline = Outline(html)
    assert outline.language == language
    assert outline.tags.count("h1") == 1
    assert {"header", "nav", "main", "footer"} <= set(outline.tags)
    assert outline.tags.count("table") == outline.tags.count("caption")
    assert set(outline.inputs) <= outline.labelled
    assert not outline.faults
    assert len(outline.ids) == len(set(outline.ids))


def grant(ada: Opened, **fields: object) -> str:
    """Fill in the form, read the notice, sign; return the consent's id."""
    ada.page.see("/consents/new")
    given = {
        "recipient": LENDER,
        "purpose": "1",
        "category": "1",
        "disclosure": "2",
        "provider": [PROVIDERS[0]],
    }
    preview = ada.page.submit("/consents/preview", **(given | fields))
    assert preview.status_code == 200, preview.text
    found = re.search(r'name="consent" value="(\w+)"', preview.text)
    assert found is not None
    signed = ada.page.submit("/consents/sign", consent=found[1])
    assert signed.status_code == 303, signed.text
    return found[1]


# Every page ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("language", "tag"), [("en", "en"), ("zh", "zh-Hans")])
def test_every_page_can_be_read_in_both_languages(ada: Opened, language: str, tag: str) -> None:
    story = ada.fake.in_force()
    ada.page.get(f"/?lang={language}")
    ada.page.see("/")
    for path in ("/score", "/inbox", "/report", "/erasure", "/notices"):
        assert ada.page.submit(path).status_code == 303
    more = ("/consents/new", f"/listings/{story.listing_id.hex()}")
    for path in (*(path for path, _ in MENU), *more):
        page = ada.page.see(path)
        assert page.status_code == 200, (path, page.text)
        sound(page.text, tag)
        if language == "zh":
            assert "我的" in page.text


def test_nothing_is_shown_without_a_session(ada: Opened) -> None:
    ada.page.cookies.clear()
    for path in (*(path for path, _ in MENU), "/consents/new", "/accesses/1/receipt"):
        assert ada.page.get(path).status_code == 401
    assert ada.page.submit("/switches", switch="freeze", placed="yes").status_code == 401
    assert set(ada.fake.seen) <= {"BindSubject"}


def test_nothing_is_done_without_the_forms_token(ada: Opened) -> None:
    ada.page.csrf = "forged"
    before = dict(ada.fake.seen)
    for path in (
        *("/switches", "/score", "/consents/preview", "/consents/sign", "/inbox", "/report"),
        *("/erasure", "/erasure/now", "/contact", "/notices"),
    ):
        assert ada.page.submit(path, switch="freeze", placed="yes").status_code == 403, path
    assert ada.fake.seen == before


def test_reading_the_pages_changes_nothing_and_asks_nobody_for_a_score(ada: Opened) -> None:
    for path, _ in MENU:
        assert ada.page.get(path).status_code == 200
    for method in ("RequestOwnView", "ReadInbox", "GetReport", "Erase", "ChangeFlag"):
        assert method not in ada.fake.seen


def test_an_exchange_that_does_not_answer_is_told_as_such(ada: Opened) -> None:
    ada.fake.stop(1)
    answer = ada.page.see("/consents")
    assert answer.status_code == 503
    assert "Nobody answers" in answer.text
    assert "cannot be reached now" in answer.text


# Score ---------------------------------------------------------------------------------------------


def test_a_person_sees_what_moved_the_score_as_a_picture_with_its_table(ada: Opened) -> None:
    ada.page.see("/")
    assert ada.page.submit("/score").status_code == 303
    page = ada.page.see("/").text
    assert '<svg viewBox="0 0 400.0' in page
    assert "What would lift it to band" in page
    assert page.count("<details>") == 2
    assert "It is a figure and no decision" in page


def test_a_refusal_of_the_score_says_what_to_do(ada: Opened) -> None:
    ada.page.see("/")
    ada.fake.refuse["RequestOwnView"] = [Refusal(Reason.REASON_QUOTA_EXCEEDED)]
    answer = ada.page.submit("/score")
    assert answer.status_code == 409
    assert "QUOTA_EXCEEDED" in answer.text


# Accesses ------------------------------------------------------------------------------------------


def test_an_access_opens_to_its_proof_and_its_receipt_can_be_checked_by_anybody(
    ada: Opened,
) -> None:
    _logged(ada)
    page = ada.page.see("/accesses").text
    assert "none missing" in page
    proof = ada.page.see("/accesses/1").text
    assert "Inclusion verified here" in proof
    raw = ada.page.get("/accesses/1/receipt")
    assert "attachment" in raw.headers["content-disposition"]
    logged = open_receipt(parse_receipt(raw.content), ada.fake.anchors)
    assert logged.record is not None
    assert logged.record.subject_ref == ada.held.key().subject_ref
    assert ada.page.get("/accesses/99").status_code == 404


def _logged(ada: Opened) -> None:
    """Have the log hold ada's consent and a request, among entries about others."""
    fed = ada.fake.federation
    granted = ada.fake.granted()
    ada.fake.log.fill(3)
    ada.fake.log.add(records.consent_act(granted.consent, digest_of(granted.envelope), fed.at))
    ada.fake.log.add(intent(fed, granted))


# Consents ------------------------------------------------------------------------------------------


def test_a_consent_is_signed_only_after_its_words_were_read(ada: Opened) -> None:
    consent = grant(ada)
    (request,) = ada.fake.seen["GrantConsent"]
    signed = v1.Consent.FromString(request.consent.payload)
    assert signed.consent_id.hex() == consent
    assert signed.recipient == LENDER
    assert signed.disclosure.kind == v1.DisclosureKind.DISCLOSURE_KIND_BAND
    (kept,) = ada.held.consents()
    assert kept.granted
    assert list(kept.licences) == [PROVIDERS[0]]


def test_what_was_not_previewed_is_not_signed(ada: Opened) -> None:
    ada.page.see("/consents/new")
    assert ada.page.submit("/consents/sign", consent=new_id().hex()).status_code == 409
    grant(ada)
    again = ada.page.submit("/consents/sign", consent=ada.held.consents()[0].consent_id.hex())
    assert again.status_code == 409
    assert len(ada.fake.seen["GrantConsent"]) == 1


UNLAWFUL_FIELDS: tuple[dict[str, object], ...] = (
    {"recipient": ""},
    {"category": []},
    {"provider": []},
    {"purpose": "99"},
    {"purpose": "x"},
    {"disclosure": "9"},
    {"purpose": "4"},  # a waived deposit is a yes or no alone
    {"profile": "77"},
)


def test_terms_that_no_consent_may_have_are_refused_before_anything_is_signed(ada: Opened) -> None:
    ada.page.see("/consents/new")
    given: dict[str, object] = {
        "recipient": LENDER,
        "purpose": "1",
        "category": "1",
        "disclosure": "2",
        "provider": [PROVIDERS[0]],
    }
    for fields in UNLAWFUL_FIELDS:
        answer = ada.page.submit("/consents/preview", **(given | fields))
        assert answer.status_code in {400, 422}, fields
    assert "GrantConsent" not in ada.fake.seen
    assert not ada.held.consents()


def test_what_a_purpose_does_not_allow_is_said_in_the_visitors_language(ada: Opened) -> None:
    ada.page.get("/?lang=zh")
    ada.page.see("/consents/new")
    once = {"recipient": LENDER, "purpose": "3", "category": "1", "provider": [PROVIDERS[0]]}
    answer = ada.page.submit("/consents/preview", **once)
    assert answer.status_code == 422
    assert "账户复核是定期的" in answer.text
    with pytest.raises(Refusal) as refused:  # the very words that are translated
        require_purpose_allows(v1.Consent(purpose=v1.Purpose.PURPOSE_CREDIT_APPLICATION))
    assert refused.value.detail in UNLAWFUL


def test_a_consent_is_paused_resumed_and_revoked_and_everybody_told(ada: Opened) -> None:
    consent = grant(ada)
    for change in ("pause", "resume", "revoke"):
        assert ada.page.submit(f"/consents/{consent}/{change}").status_code == 303
    kinds = [
        v1.ConsentEvent.FromString(each.event.payload).kind
        for each in ada.fake.seen["SubmitConsentEvent"]
    ]
    assert kinds == [1, 2, 3]
    assert len(ada.fake.seen[PROVIDERS[0]]) == 3
    refused = ada.page.submit(f"/consents/{consent}/pause")
    assert refused.status_code == 422
    assert ada.page.submit(f"/consents/{consent}/widen").status_code == 404


def test_a_consent_shows_its_words_and_is_handed_out_as_a_file(ada: Opened) -> None:
    consent = grant(ada)
    record = ada.held.consents()[0]
    ada.fake.consents = [
        v1.ConsentRecord(
            consent=record.envelope, state=v1.ConsentState.CONSENT_STATE_ACTIVE, uses=0
        )
    ]
    page = ada.page.see(f"/consents/{consent}").text
    sound(page, "en")
    assert "CONSENT TO DISCLOSE" in page.upper() or LENDER in page
    handed = ada.page.get(f"/consents/{consent}/permission")
    assert record.envelope.payload in handed.content
    assert LENDER in ada.page.see("/consents").text


# Listings ------------------------------------------------------------------------------------------


def test_a_dispute_goes_with_evidence_that_only_the_reviewer_can_read(ada: Opened) -> None:
    story = ada.fake.in_force()
    where = f"/listings/{story.listing_id.hex()}"
    assert "Dispute it" in ada.page.see(where).text
    answer = ada.page.submit(
        f"{where}/dispute",
        ground=str(v1.DisputeGround.DISPUTE_GROUND_PAID),
        files=[("evidence", ("receipt.pdf", b"%PDF paid\r\n--x", "application/pdf"))],
    )
    assert answer.status_code == 303, answer.text
    (request,) = ada.fake.seen["SubmitDispute"]
    dispute = v1.Dispute.FromString(request.dispute.payload)
    (sealed,) = request.attachments
    opened = open_evidence(SEALING_KEYS[dispute.reviewer], sealed.sealed, dispute.dispute_id)
    assert opened.content == b"%PDF paid\r\n--x"


def test_a_way_that_is_not_open_is_refused_with_what_is(ada: Opened) -> None:
    story = ada.fake.in_force()
    where = f"/listings/{story.listing_id.hex()}"
    ada.page.see(where)
    refused = ada.page.submit(f"{where}/contest", ground="2", files={"evidence": ("", b"")})
    assert refused.status_code == 422
    assert ada.page.submit(f"{where}/steal", ground="2").status_code == 404
    assert "SubmitDispute" not in ada.fake.seen


def test_own_words_are_attached_and_taken_away(ada: Opened) -> None:
    where = f"/listings/{ada.fake.in_force().listing_id.hex()}"
    ada.page.see(where)
    assert ada.page.submit(f"{where}/words", text=f"I paid. {EVIL}").status_code == 303
    page = ada.page.see(where).text
    assert "I paid." in page
    assert "<script" not in page
    assert "<img" not in page
    too_many = ada.page.submit(f"{where}/words", text="word " * 201)
    assert too_many.status_code == 409
    assert ada.page.submit(f"{where}/words", text="").status_code == 303


def test_a_payment_is_reported_with_the_hash_of_the_receipt_alone(ada: Opened) -> None:
    where = f"/listings/{ada.fake.in_force().listing_id.hex()}"
    ada.page.see(where)
    paid = (ada.fake.at - timedelta(days=2)).strftime("%Y-%m-%d")
    file = {"receipt": ("r.pdf", b"paid")}
    assert ada.page.submit(f"{where}/paid", paid_on="2 March", files=file).status_code == 422
    assert ada.page.submit(f"{where}/paid", paid_on="2999-01-01", files=file).status_code == 422
    assert ada.page.submit(f"{where}/paid", paid_on=paid, files=file).status_code == 303
    (request,) = ada.fake.seen["SubmitSubjectEvent"]
    assert b"paid" not in request.event.payload


def test_evidence_that_is_too_large_is_refused(ada: Opened) -> None:
    where = f"/listings/{ada.fake.in_force().listing_id.hex()}"
    ada.page.see(where)
    file = {"evidence": ("big", bytes(5 * 256 * 1024))}
    assert ada.page.submit(f"{where}/dispute", ground="2", files=file).status_code == 413


def test_what_is_signed_while_nobody_answers_waits_and_is_said_to(ada: Opened) -> None:
    where = f"/listings/{ada.fake.in_force().listing_id.hex()}"
    ada.page.see(where)
    ada.fake.refuse["SubmitSubjectEvent"] = list(DOWN)
    assert ada.page.submit(f"{where}/words", text="I paid.").status_code == 303
    assert "It waits in your wallet" in ada.page.see("/").text
    assert "has now been sent" in ada.page.see(where).text


def test_a_lie_about_a_listing_is_shown_as_one(ada: Opened) -> None:
    story = ada.fake.in_force()
    ada.fake.bend_own = lambda own: own.steps.pop()
    page = ada.page.see("/listings").text
    assert "does not hold" in page
    assert "does not hold" in ada.page.see(f"/listings/{story.listing_id.hex()}").text


# The rest ------------------------------------------------------------------------------------------


def test_a_notice_cannot_bring_markup_along(ada: Opened) -> None:
    ada.fake.inbox = [
        v1.InboxMessage(
            message_id=new_id(),
            kind=v1.InboxKind.INBOX_KIND_RULING,
            sent_at=to_timestamp(ada.fake.at),
            text=f"The reviewer says: {EVIL}",
        )
    ]
    ada.page.see("/inbox")
    assert "ReadInbox" not in ada.fake.seen
    ada.page.submit("/inbox")
    page = ada.page.see("/inbox").text
    assert "The reviewer says: &lt;script&gt;" in page
    sound(page, "en")


def test_the_freeze_is_placed_and_lifted(ada: Opened) -> None:
    ada.page.see("/switches")
    for placed, text in (("yes", "Lift the freeze"), ("no", "Freeze everything")):
        assert ada.page.submit("/switches", switch="freeze", placed=placed).status_code == 303
        assert text in ada.page.see("/switches").text
    assert ada.page.submit("/switches", switch="score", placed="yes").status_code == 400


def test_a_freeze_that_the_exchange_does_not_make_is_not_said_to_stand(ada: Opened) -> None:
    ada.fake.drop_flags = True
    ada.page.see("/switches")
    ada.page.submit("/switches", switch="freeze", placed="yes")
    page = ada.page.see("/switches").text
    assert "the exchange has not placed it" in page or "It waits" in page


def test_the_report_prints_under_a_policy_of_its_own_and_verifies_in_either_language(
    ada: Opened,
) -> None:
    ada.page.get("/?lang=zh")
    ada.page.see("/report")
    assert ada.page.get("/report/print").status_code == 404
    assert ada.page.submit("/report").status_code == 303
    printed = ada.page.get("/report/print")
    assert "style-src 'sha256-" in printed.headers["content-security-policy"]
    assert "unsafe-inline" not in printed.headers["content-security-policy"]
    file = ada.page.get("/report/file")
    assert file.content == printed.content
    checked = check_page(file.content, ada.fake.anchors)
    assert checked.language == "zh"
    assert checked.report.report.subject_ref == ada.held.key().subject_ref
    ada.page.get("/?lang=en")
    in_english = check_page(ada.page.get("/report/file").content, ada.fake.anchors)
    assert in_english.language == "en"
    assert in_english.report.bundle == checked.report.bundle


def test_the_copy_for_programs_is_the_same_in_any_language(ada: Opened) -> None:
    ada.fake.in_force()
    ada.page.get("/?lang=zh")
    ada.page.see("/report")
    assert ada.page.get("/report/json").status_code == 404
    ada.page.submit("/report")
    copy = ada.page.get("/report/json")
    assert "attachment" in copy.headers["content-disposition"]
    ada.page.get("/?lang=en")
    assert ada.page.get("/report/json").content == copy.content
    (listing,) = copy.json()["report"]["listings"]
    assert listing["steps"][0]["what"].startswith("filed it: ")


# Erasure -------------------------------------------------------------------------------------------


def preview(ada: Opened, *, language: str = "en", **items: int) -> str:
    """Have so many things of each kind to be erased, see them, and return what the form names."""
    ada.fake.erasure = v1.ErasureOutcome(
        gone=[
            v1.ErasureItem(
                category=v1.ErasureCategory.Value(f"ERASURE_CATEGORY_{kind.upper()}"), count=count
            )
            for kind, count in items.items()
        ],
        kept=[
            v1.ErasureItem(
                category=v1.ErasureCategory.ERASURE_CATEGORY_CONSENTS,
                count=1,
                rule=v1.ErasureRule.ERASURE_RULE_CONSENT_IN_FORCE,
                until=to_timestamp(ada.fake.at + timedelta(days=90)),
            )
        ],
        ask_too=[LENDER],
    )
    ada.page.get(f"/?lang={language}")
    ada.page.see("/erasure")
    assert ada.page.submit("/erasure").status_code == 303
    found = re.search(r'name="read" value="(\w+)"', ada.page.see("/erasure").text)
    return found[1] if found else ""


def erasures(ada: Opened) -> list[v1.ErasureRequest]:
    """What was asked for, previews apart."""
    seen = ada.fake.seen.get("RequestErasure", [])
    asked = [v1.ErasureRequest.FromString(each.request.payload) for each in seen]
    return [each for each in asked if not each.preview]


def test_an_erasure_is_previewed_and_nothing_goes(ada: Opened) -> None:
    assert preview(ada, messages=2)
    page = ada.page.see("/erasure").text
    assert "messages to you" in page
    assert LENDER in page
    assert "Revoke the consents in force" in page
    assert not erasures(ada)


@pytest.mark.parametrize(("language", "word"), [("en", " ERASE "), ("zh", "删除")])
def test_what_was_read_is_erased_on_the_word_and_its_end_is_shown_with_the_proof(
    ada: Opened, language: str, word: str
) -> None:
    read = preview(ada, language=language, messages=2)
    answer = ada.page.submit("/erasure/now", read=read, word=word)
    assert (answer.status_code, answer.headers["location"]) == (303, "/erasure/done")
    (asked,) = erasures(ada)
    assert asked.subject_ref == ada.held.key().subject_ref
    page = ada.page.see("/erasure/done").text
    sound(page, {"en": "en", "zh": "zh-Hans"}[language])
    assert LENDER in page
    receipt = re.search(r"/accesses/\d+/receipt", page)
    assert receipt is not None
    logged = open_receipt(parse_receipt(ada.page.get(receipt[0]).content), ada.fake.anchors)
    assert logged.record is not None
    assert logged.record.erasure_request.request_digest in ada.fake.erased
    if language == "en":
        assert "Your key is still bound to you" in page
        assert "Ask again from" in page


def test_another_word_erases_nothing_and_says_so_at_the_field(ada: Opened) -> None:
    read = preview(ada, messages=2)
    for word in ("", "erase it", "delete", "删除"):
        answer = ada.page.submit("/erasure/now", read=read, word=word)
        assert answer.status_code == 422, word
        sound(answer.text, "en")
        assert 'aria-invalid="true"' in answer.text
        assert 'role="alert">That is not the word.' in answer.text
    assert not erasures(ada)


def test_a_form_that_is_sent_twice_erases_once(ada: Opened) -> None:
    read = preview(ada, messages=2)
    for _ in range(2):
        answer = ada.page.submit("/erasure/now", read=read, word="erase")
        assert answer.headers["location"] == "/erasure/done"
    assert len(erasures(ada)) == 1


def test_forms_that_are_sent_at_the_same_time_erase_once(ada: Opened) -> None:
    read = preview(ada, messages=2)
    with ThreadPoolExecutor(3) as pool:
        sent = [
            pool.submit(ada.page.submit, "/erasure/now", read=read, word="erase") for _ in range(3)
        ]
    assert {each.result().headers["location"] for each in sent} == {"/erasure/done"}
    assert len(erasures(ada)) == 1


def test_what_has_changed_since_it_was_read_is_shown_again_and_nothing_goes(ada: Opened) -> None:
    read = preview(ada, messages=2)
    ada.fake.erasure.gone[0].count = 3
    answer = ada.page.submit("/erasure/now", read=read, word="erase")
    assert answer.headers["location"] == "/erasure"
    page = ada.page.see("/erasure").text
    assert "has changed since you read it" in page
    assert '<td role="cell" data-label="how many" class="figure">3</td>' in page
    assert not erasures(ada)
    assert ada.page.submit("/erasure/now", read=read, word="erase").status_code == 303
    assert not erasures(ada)  # the form of before is of no use any more


def test_nothing_is_erased_without_a_preview_or_with_a_forged_token(ada: Opened) -> None:
    ada.page.see("/erasure")
    ada.page.submit("/erasure/now", read="00" * 32, word="erase")
    ada.page.submit("/erasure/now", word="erase")
    read = preview(ada, messages=2)
    for other in ("", "00" * 32, read.upper()):
        ada.page.submit("/erasure/now", read=other, word="erase", subject_ref="ff" * 32)
    ada.page.csrf = "forged"
    assert ada.page.submit("/erasure/now", read=read, word="erase").status_code == 403
    assert not erasures(ada)
    assert ada.page.get("/erasure/done").status_code == 404


def test_an_outcome_that_the_exchange_did_not_sign_for_this_request_is_not_shown_as_done(
    ada: Opened,
) -> None:
    read = preview(ada, messages=2)
    ada.fake.erasure.request_digest = bytes(32)
    assert ada.page.submit("/erasure/now", read=read, word="erase").status_code == 409
    assert ada.page.get("/erasure/done").status_code == 404


def test_an_answer_that_was_lost_is_asked_for_again_with_the_same_bytes(ada: Opened) -> None:
    ada.fake.in_force()
    ada.page.see("/listings")
    read = preview(ada, listings=1)
    ada.fake.lose_erasures = 4
    unknown = ada.page.submit("/erasure/now", read=read, word="erase")
    assert unknown.status_code == 503
    assert "It is not known yet" in unknown.text
    assert "is not known here yet" in ada.page.see("/erasure").text
    answer = ada.page.submit("/erasure/now", read=read, word="erase")
    assert answer.headers["location"] == "/erasure/done"
    assert "its answer had been lost" in ada.page.see("/erasure/done").text
    assert len({each.request_id for each in erasures(ada)}) == 1
    assert len(ada.fake.erased) == 1
    assert "is not known here yet" not in ada.page.see("/erasure").text
    assert (
        "left out" not in ada.page.see("/switches").text
    )  # the wallet knows that the listing went


def test_looking_sends_no_request_that_was_signed_before_and_never_carried_out(
    ada: Opened,
) -> None:
    key, federation = ada.held.key(), ada.held.anchors.federation
    request = make_erasure_request(key, federation, datetime.now(UTC), preview=False)
    (ada.held.folder / "erasure.asked").write_bytes(request.SerializeToString())
    read = preview(ada, messages=2)
    assert not erasures(ada)
    ada.fake.erasure.gone[0].count = 3
    ada.page.submit("/erasure/now", read=read, word="erase")
    assert not erasures(ada)


@pytest.mark.parametrize(("minutes", "remembered"), [(5, True), (60, False)])
def test_a_request_whose_entry_may_still_come_into_the_log_is_remembered(
    ada: Opened, minutes: int, *, remembered: bool
) -> None:
    at = datetime.now(UTC) - timedelta(minutes=minutes)
    request = make_erasure_request(ada.held.key(), ada.held.anchors.federation, at, preview=False)
    (ada.held.folder / "erasure.asked").write_bytes(request.SerializeToString())
    preview(ada, messages=2)
    assert (ada.held.folder / "erasure.asked").exists() == remembered


def test_listings_that_went_missing_beside_what_was_erased_are_told(ada: Opened) -> None:
    ada.fake.in_force()
    ada.page.see("/listings")
    read = preview(ada, messages=1)
    ada.page.submit("/erasure/now", read=read, word="erase")
    assert "1 listing is missing" in ada.page.see("/erasure/done").text


def test_what_does_not_hold_is_told_in_the_visitors_language(ada: Opened) -> None:
    ada.fake.in_force()
    ada.page.see("/listings")
    read = preview(ada, language="zh", messages=1)
    ada.page.submit("/erasure/now", read=read, word="删除")
    assert "缺少 1 条不良记录" in ada.page.see("/erasure/done").text


# Contact, regulators, the rest ---------------------------------------------------------------------


def test_a_contact_is_shown_set_changed_and_taken_away(ada: Opened) -> None:
    page = ada.page.see("/contact").text
    assert "inbox alone" in page
    for email, notices, language in (
        ("ada@example.org", "en", "English"),
        ("ada@example.com", "zh-Hans", "中文"),
    ):
        answer = ada.page.submit("/contact", email=email, notices=notices)
        assert answer.status_code == 303, answer.text
        page = ada.page.see("/contact").text
        sound(page, "en")
        assert email in page
        assert f"<dd>{language}</dd>" in page
        assert "Verified here: it is what you signed last." in page
    assert page.index("No notice goes to the address any more") < page.index("To my inbox alone")
    ada.page.submit("/contact", none="yes")
    assert "@example" not in ada.page.see("/contact").text.replace("@example.com too", "")
    signed = [
        v1.ContactChange.FromString(each.change.payload) for each in ada.fake.seen["ChangeContact"]
    ]
    assert [(each.email, each.sequence) for each in signed] == [
        ("ada@example.org", 1),
        ("ada@example.com", 2),
        ("", 3),
    ]


def test_the_same_contact_sent_twice_is_signed_once(ada: Opened) -> None:
    ada.page.see("/contact")
    for _ in range(2):
        ada.page.submit("/contact", email="ada@example.org", notices="en")
    assert len(ada.fake.seen["ChangeContact"]) == 1


BAD_CONTACTS: tuple[tuple[dict[str, str], int], ...] = (
    ({"email": "no address"}, 422),
    ({"email": f"a@b.c{EVIL}"}, 422),
    ({"email": ""}, 422),
    ({"email": "a@b.c", "notices": "tlh"}, 400),
)


def test_what_is_no_contact_is_refused_and_nothing_is_signed(ada: Opened) -> None:
    ada.page.see("/contact")
    for fields, status in BAD_CONTACTS:
        assert ada.page.submit("/contact", **fields).status_code == status, fields
    assert "ChangeContact" not in ada.fake.seen


def test_a_contact_that_somebody_else_signed_is_shown_as_a_fault(ada: Opened) -> None:
    ada.page.see("/contact")
    ada.page.submit("/contact", email="ada@example.org", notices="en")
    assert ada.fake.contact is not None
    ada.fake.contact.email = "mallory@example.org"
    ada.fake.contact_signed = seal(ada.fake.contact, signer("mallory"))
    page = ada.page.see("/contact").text
    assert "that you did not sign" in page
    assert "mallory" not in page


def test_regulators_look_ups_are_read_when_i_say_so(ada: Opened) -> None:
    assert "ReadInbox" not in ada.fake.seen
    ada.page.see("/notices")
    assert "ReadInbox" not in ada.fake.seen
    assert ada.page.submit("/notices").status_code == 303
    assert "No regulator" in ada.page.see("/notices").text
    assert "ReadInbox" in ada.fake.seen


def test_what_is_for_the_command_line_is_said_on_the_page(ada: Opened) -> None:
    """Every command of the wallet is on the page, or the page names it."""
    page = ada.page.see("/more").text
    assert "concordat wallet rebind" in page
    group = typer.main.get_command(wallet)
    assert isinstance(group, TyperGroup)
    named = {each for each in group.commands if f"wallet {each}" in page}
    assert set(group.commands) == named | ON_THE_PAGE


# Each is a page of the menu, or a form on one.
ON_THE_PAGE = {
    *("grant", "pause", "resume", "revoke", "list", "accesses", "outcomes", "report", "erase"),
    *("listings", "inbox", "notices", "contest", "dispute", "appeal", "statement", "settle"),
    *("freeze", "unfreeze", "alert", "unalert", "contact", "page"),
}
