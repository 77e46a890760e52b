"""`concordat wallet accesses` as it is typed: who looked, and what is done when something was left out."""

import json
from pathlib import Path
from typing import Any

import pytest

from clients.cli.access_words import details, told
from concordat import v1
from concordat.federation.anchors import save_bundle
from concordat.refusal import Refusal
from concordat.statements import digest_of
from concordat.trust.checkpoint import open_checkpoint
from concordat.trust.envelope import open_envelope
from concordat.trust.note import SignedNote
from concordat.v1 import LogEntryKind, Reason
from concordat.verify.bundle import dump_bundle
from concordat.verify.history import HistoryEntry
from concordat.verify.receipt_file import dump_receipt, parse_receipt
from exchange.log import records
from tests.builders import EXCHANGE, LENDER, PROVIDERS, Granted, Subject
from tests.history_builders import Told, fit, intent, proves_omission, refusal, with_entries
from tests.log_builders import LogWitness
from tests.unit.clients.cli.conftest import Desk
from tests.view_builders import ViewBuilder

Wallet = tuple[str, str]


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a terminal that breaks no cell."""
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture
def ada(desk: Desk) -> Subject:
    return desk.fake.federation.subject("ada")


@pytest.fixture
def granted(desk: Desk) -> Granted:
    """Ada's consent; the log holds it, a request, what went out, and a refused attempt."""
    fed = desk.fake.federation
    granted = desk.fake.granted()
    made = ViewBuilder(fed, ask=fed.ask(granted))
    view = made.view()
    log = desk.fake.log
    log.fill(3)
    log.add(records.consent_act(granted.consent, digest_of(granted.envelope), fed.at))
    log.add(intent(fed, granted))
    categories = [v1.DataCategory.DATA_CATEGORY_SCORE]
    log.add(records.release(view, digest_of(granted.envelope), categories))
    log.fill()
    log.add(refusal(fed, granted, Reason.REASON_CONSENT_EXHAUSTED))
    return granted


@pytest.fixture
def wallet(desk: Desk, granted: Granted) -> Wallet:
    return desk.wallet()


def accesses(desk: Desk, wallet: Wallet, *options: object, code: int = 0) -> Any:
    return desk.json("wallet", "accesses", *wallet, *options, code=code)


def view_file(desk: Desk, granted: Granted, ada: Subject) -> Path:
    """Return the lender's file, with receipts of what the log holds."""
    fed, log = desk.fake.federation, desk.fake.log
    made = ViewBuilder(fed, ask=fed.ask(granted))
    bundle = made.bundle(intent=log.receipt(ada, 2), release=log.receipt(ada, 3))
    path = desk.folder / "view.cbundle"
    path.write_bytes(dump_bundle(bundle))
    return path


def leave_off(count: int) -> Any:
    """Have the exchange leave off the last entries, and sign that this is all."""

    def lie(told: Told) -> Told:
        return fit(with_entries(told, list(told.answer.entries)[:-count]))

    return lie


# What is shown ----------------------------------------------------------------------------------


def test_a_person_reads_who_looked_for_what_and_what_went_out(
    desk: Desk, wallet: Wallet, granted: Granted
) -> None:
    result = desk.run("wallet", "accesses", *wallet)
    assert result.exit_code == 0, result.output
    shown = " ".join(result.stdout.replace("│", " ").split())
    for words in (
        "gave a consent",
        "asked",
        "credit application",
        "received score",
        "was refused",
        "consent exhausted",
        LENDER,
        "4 entries about you, none missing",
        "a log of 8 entries",
    ):
        assert words in shown


def test_a_person_about_whom_nothing_is_logged_reads_that(desk: Desk) -> None:
    desk.fake.log.fill()
    wallet = desk.wallet()
    result = desk.run("wallet", "accesses", *wallet)
    assert result.exit_code == 0, result.output
    assert "0 entries about you, none missing" in result.stdout


def test_the_json_has_the_documented_keys(desk: Desk, wallet: Wallet, granted: Granted) -> None:
    facts = accesses(desk, wallet)
    assert set(facts) == {
        *("ok", "entries", "log_size", "log_root", "checkpoint"),
        *("witnesses", "witness_quorum", "receipts_found"),
    }
    assert (facts["ok"], facts["log_size"], facts["receipts_found"]) == (True, 8, 0)
    assert facts["checkpoint"].encode() == desk.fake.log.checkpoint
    consent, asked, released, refused = facts["entries"]
    keys = {
        *("sequence", "log_index", "record_id", "kind", "logged_at", "erased"),
        *("who", "what", "about", "details"),
    }
    assert all(set(entry) == keys for entry in facts["entries"])
    assert [entry["sequence"] for entry in facts["entries"]] == [1, 2, 3, 4]
    assert [entry["log_index"] for entry in facts["entries"]] == [3, 4, 5, 7]
    consent_id = granted.consent.consent_id.hex()
    assert (consent["kind"], consent["who"], consent["about"]) == ("consent", "you", consent_id)
    assert asked["details"] == {
        "lender": LENDER,
        "purpose": "credit application",
        "disclosure": "full",
        "threshold": None,
        "consent_id": consent_id,
        "providers": list(PROVIDERS),
    }
    released["details"].pop("access_id")
    assert released["details"] == {
        "lender": LENDER,
        "result": "complete",
        "categories": ["score"],
        "calibration_version": 1,
        "listings": 0,
        "providers": [{"provider": name, "outcome": "scored"} for name in PROVIDERS],
    }
    assert refused["details"] == {
        "lender": LENDER,
        "purpose": "credit application",
        "consent_id": consent_id,
        "reason": "CONSENT_EXHAUSTED",
        "disclosure": "full",
        "threshold": None,
    }


def test_an_erased_entry_is_shown_as_erased(desk: Desk, wallet: Wallet, ada: Subject) -> None:
    desk.fake.log.erase(ada, 2)
    entry = accesses(desk, wallet)["entries"][1]
    assert entry["erased"]
    assert (entry["who"], entry["details"]) == ("?", None)
    assert entry["what"] == "access intent (its record was erased)"
    assert entry["what"] in desk.run("wallet", "accesses", *wallet).stdout


# A sealed look-up stands in nobody's chain; its subject is shown the notice of it.
SEALED = {
    LogEntryKind.LOG_ENTRY_KIND_CASE_LOOK_UP,
    LogEntryKind.LOG_ENTRY_KIND_CASE_REFUSAL,
}


@pytest.mark.parametrize(
    "kind",
    [kind for kind in LogEntryKind.values()[1:] if kind not in SEALED],
    ids=LogEntryKind.Name,
)
def test_every_kind_of_entry_has_words(kind: LogEntryKind.ValueType) -> None:
    acts: dict[str, v1.LogRecord] = {
        "ACCESS_INTENT": v1.LogRecord(intent=v1.AccessIntent(lender=LENDER)),
        "ACCESS_RELEASE": v1.LogRecord(release=v1.AccessRelease(lender=LENDER)),
        "ACCESS_REFUSAL": v1.LogRecord(refusal=v1.AccessRefusal(lender=LENDER)),
        "CONSENT": v1.LogRecord(consent=v1.ConsentAct(consent_id=b"\x01")),
        "CONSENT_EVENT": v1.LogRecord(consent=v1.ConsentAct(consent_id=b"\x01")),
        "LICENCE": v1.LogRecord(member=v1.MemberAct(member_id=LENDER)),
        "LICENCE_STATUS": v1.LogRecord(member=v1.MemberAct(member_id=LENDER)),
        "ERASURE": v1.LogRecord(erasure=v1.Erasure(record_ids=[b"\x01"])),
        "LISTING": v1.LogRecord(listing=v1.ListingAct(actor=LENDER, listing_id=b"\x01")),
        "SUBJECT": v1.LogRecord(subject=v1.SubjectAct()),
        "SCREENING": v1.LogRecord(screening=v1.Screening(lender=LENDER)),
        "MIRROR_SYNC": v1.LogRecord(mirror=v1.MirrorAct(court=LENDER)),
        "CALIBRATION": v1.LogRecord(calibration=v1.CalibrationAct(version=1)),
        "OUTCOME_COUNTS": v1.LogRecord(outcome_counts=v1.OutcomeAct(lender=LENDER)),
        "SUPERVISION": v1.LogRecord(supervision=v1.SupervisionAct(regulator=LENDER)),
        "OWN_LOOK": v1.LogRecord(own_look=v1.OwnLook(providers=PROVIDERS)),
        "OWN_VIEW": v1.LogRecord(own_view=v1.OwnViewRelease()),
        "ORDER": v1.LogRecord(
            order=v1.OrderAct(regulator=LENDER, stage=v1.OrderStage.ORDER_STAGE_GIVEN)
        ),
        "CASE_NOTICE": v1.LogRecord(case_notice=v1.CaseNoticeAct(index=7)),
        "OUTCOME": v1.LogRecord(outcome=v1.OutcomeReported(lender=LENDER)),
        "REPORT": v1.LogRecord(report=v1.ReportAct()),
        "ERASURE_REQUEST": v1.LogRecord(erasure_request=v1.ErasureRequestAct(erased=3)),
        "BINDING": v1.LogRecord(binding=v1.BindingAct(version=2)),
        "MONITORING": v1.LogRecord(monitoring=v1.MonitoringAct(lender=LENDER)),
    }
    name = LogEntryKind.Name(kind).removeprefix("LOG_ENTRY_KIND_")
    own = ("CONSENT", "CONSENT_EVENT", "SUBJECT", "OWN_LOOK", "OWN_VIEW")
    who = "you" if name in (*own, "REPORT", "ERASURE_REQUEST") else LENDER
    if name in ("LICENCE", "LICENCE_STATUS", "CALIBRATION", "ERASURE", "CASE_NOTICE"):
        who = "the exchange"
    if name == "BINDING":
        who = "the registrar"
    shown, what, _ = told(HistoryEntry(1, 0, v1.LogEntry(kind=kind), acts[name]))
    assert shown == who
    assert what
    assert ("consent" in what) == name.startswith("CONSENT")
    erased = told(HistoryEntry(1, 0, v1.LogEntry(kind=kind), None))
    assert erased[0] == "?"
    assert name.lower().replace("_", " ") in erased[1]


REVIEW, LISTED = v1.Purpose.PURPOSE_ACCOUNT_REVIEW, LogEntryKind.LOG_ENTRY_KIND_LISTING
ACT, ACTION, STATE = v1.ListingActKind, v1.ListingAction, v1.ListingState
THRESHOLD = v1.DisclosureKind.DISCLOSURE_KIND_THRESHOLD
LISTINGS, FLAGS = v1.DataCategory.DATA_CATEGORY_LISTINGS, v1.DataCategory.DATA_CATEGORY_FLAGS


@pytest.mark.parametrize(
    ("record", "who", "what", "about"),
    [
        (
            v1.LogRecord(
                release=v1.AccessRelease(
                    lender=LENDER,
                    result=v1.ReleaseResult.RELEASE_RESULT_LISTINGS_ONLY,
                    categories=[LISTINGS, FLAGS],
                    listings=2,
                )
            ),
            *(LENDER, "received listings, flags", "2 listings shown"),
        ),
        (
            v1.LogRecord(
                release=v1.AccessRelease(
                    lender=LENDER,
                    result=v1.ReleaseResult.RELEASE_RESULT_LISTINGS_ONLY,
                    categories=[FLAGS],
                )
            ),
            *(LENDER, "received flags", ""),
        ),
        (
            v1.LogRecord(
                intent=v1.AccessIntent(
                    lender=LENDER,
                    purpose=v1.Purpose.PURPOSE_DEPOSIT_WAIVER,
                    disclosure=v1.Disclosure(kind=THRESHOLD, threshold=620),
                )
            ),
            *(LENDER, "asked", "deposit waiver, whether your score reaches 620 points"),
        ),
        (
            v1.LogRecord(
                intent=v1.AccessIntent(
                    lender=LENDER,
                    purpose=REVIEW,
                    disclosure=v1.Disclosure(kind=v1.DisclosureKind.DISCLOSURE_KIND_BAND),
                )
            ),
            *(LENDER, "asked", "account review, the band of your score"),
        ),
        (
            v1.LogRecord(
                refusal=v1.AccessRefusal(
                    lender=LENDER,
                    purpose=REVIEW,
                    reason=Reason.REASON_THRESHOLD_MOVED,
                    disclosure=v1.Disclosure(kind=THRESHOLD, threshold=611),
                )
            ),
            LENDER,
            "was refused: it was told of other thresholds lately, and one more would narrow down your score",
            "account review, whether your score reaches 611 points",
        ),
        (
            v1.LogRecord(screening=v1.Screening(lender=LENDER, purpose=REVIEW, listings=1)),
            *(LENDER, "screened you", "account review, 1 listing shown"),
        ),
        (
            v1.LogRecord(
                screening=v1.Screening(
                    lender=LENDER, purpose=REVIEW, refusal=Reason.REASON_SUBJECT_FROZEN
                )
            ),
            *(LENDER, "was refused to screen you: subject frozen", "account review"),
        ),
        (
            v1.LogRecord(
                subject=v1.SubjectAct(flag=v1.FlagKind.FLAG_KIND_FRAUD_ALERT, placed=True)
            ),
            *("you", "placed a fraud alert", ""),
        ),
        (
            v1.LogRecord(subject=v1.SubjectAct(flag=v1.FlagKind.FLAG_KIND_FREEZE)),
            *("you", "lifted a freeze", ""),
        ),
        (v1.LogRecord(subject=v1.SubjectAct()), "you", "changed where notices go", ""),
    ],
)
def test_what_a_person_reads_of_listings_flags_and_screenings(
    record: v1.LogRecord, who: str, what: str, about: str
) -> None:
    assert told(HistoryEntry(1, 0, v1.LogEntry(kind=LISTED), record)) == (who, what, about)
    assert details(record)


@pytest.mark.parametrize(
    ("fields", "who", "what"),
    [
        ({"kind": ACT.LISTING_ACT_KIND_FILED, "actor": "a"}, "a", "filed a listing about you"),
        ({"kind": ACT.LISTING_ACT_KIND_JOINED, "actor": "a"}, "a", "filed the same debt"),
        ({"kind": ACT.LISTING_ACT_KIND_DISPUTED}, "you", "disputed a listing"),
        ({"kind": ACT.LISTING_ACT_KIND_RULED, "actor": "r"}, "r", "ruled on a dispute"),
        (
            {"kind": ACT.LISTING_ACT_KIND_RETRACTED, "actor": LENDER},
            *("the exchange", f"recalled what {LENDER} was told"),
        ),
        (
            {"kind": ACT.LISTING_ACT_KIND_ACKNOWLEDGED, "actor": LENDER},
            *(LENDER, "acknowledged the recall"),
        ),
        (
            {"kind": ACT.LISTING_ACT_KIND_EVENT, "action": ACTION.LISTING_ACTION_SETTLE},
            *("you", "said that it is paid"),
        ),
    ],
)
def test_what_a_person_reads_of_each_act_about_a_listing(
    fields: dict[str, Any], who: str, what: str
) -> None:
    act = v1.ListingAct(listing_id=b"\x01" * 16, state=STATE.LISTING_STATE_EFFECTIVE, **fields)
    entry = HistoryEntry(1, 0, v1.LogEntry(kind=LISTED), v1.LogRecord(listing=act))
    assert told(entry) == (who, what, f"listing {act.listing_id.hex()[:13]}: in force")
    assert all(
        told(
            HistoryEntry(
                1,
                0,
                v1.LogEntry(kind=LISTED),
                v1.LogRecord(listing=v1.ListingAct(kind=ACT.LISTING_ACT_KIND_EVENT, action=action)),
            )
        )[1]
        != "did something"
        for action in ACTION.values()[1:]
    )


def test_a_log_that_too_few_witnesses_have_seen_is_said_to_be_one(
    desk: Desk, granted: Granted
) -> None:
    # Nothing but witnesses and receipts tells a whole list from a list of a log made for one person.
    witness = LogWitness("test.concordat/witness")
    bundle = desk.fake.federation.bundle
    bundle.witnesses.append(str(witness.key))
    bundle.witness_quorum = 1
    save_bundle(bundle, desk.folder / "bundle.json")
    wallet = desk.wallet()
    facts = accesses(desk, wallet)
    assert (facts["witnesses"], facts["witness_quorum"]) == ([], 1)
    assert "Only 0 of at least 1 witnesses" in desk.run("wallet", "accesses", *wallet).stdout

    def cosigned(told: Told) -> Told:
        note = told.answer.checkpoint
        told.answer.checkpoint = note + witness.cosign(SignedNote.parse(note).text)
        return told

    desk.fake.retell = cosigned
    assert accesses(desk, wallet)["witnesses"] == [witness.name]
    shown = desk.run("wallet", "accesses", *wallet).stdout
    assert "cosigned by 1 of its witnesses" in shown
    assert "Only" not in shown


# Receipts of others -----------------------------------------------------------------------------


def test_the_lenders_file_and_a_providers_receipt_are_found_among_the_entries(
    desk: Desk, wallet: Wallet, granted: Granted, ada: Subject
) -> None:
    of_lender = view_file(desk, granted, ada)
    of_provider = desk.folder / "alder.receipt"
    of_provider.write_bytes(dump_receipt(desk.fake.log.receipt(ada, 2)))
    options = ("--receipt", of_lender, "--receipt", of_provider)
    assert accesses(desk, wallet, *options)["receipts_found"] == 3
    result = desk.run("wallet", "accesses", *wallet, *options)
    assert "3 receipts that others hold are among them" in result.stdout


def test_an_access_that_the_lenders_file_proves_is_found_missing(
    desk: Desk, wallet: Wallet, granted: Granted, ada: Subject
) -> None:
    of_lender = view_file(desk, granted, ada)
    desk.fake.retell = leave_off(2)
    assert accesses(desk, wallet)["ok"]  # nothing in the list itself gives it away
    facts = accesses(desk, wallet, "--receipt", of_lender, code=1)
    assert facts["reason"] == "HISTORY_BROKEN"
    assert "is left out" in facts["advice"]
    folder = Path(facts["evidence"])
    receipt = parse_receipt((folder / "left-out.receipt").read_bytes())
    page = v1.ListAccessesResponse.FromString((folder / "page-1.response").read_bytes())
    fed = desk.fake.federation
    assert proves_omission(fed.anchors, fed.member(EXCHANGE), [page], receipt, fed.at)


def test_a_file_that_is_no_receipt_is_refused_before_anybody_is_asked(
    desk: Desk, wallet: Wallet
) -> None:
    path = desk.folder / "some.file"
    assert accesses(desk, wallet, "--receipt", path, code=2)["reason"] == "LOCAL"
    for content, code, reason in (
        (b"nothing of the kind", 1, "BUNDLE_MALFORMED"),
        (b"concordat-log-receipt-v1\n\xff\xff", 2, "STATEMENT_MALFORMED"),
        (b"concordat-log-receipt-v1\n", 2, "STATEMENT_MALFORMED"),
    ):
        path.write_bytes(content)
        assert accesses(desk, wallet, "--receipt", path, code=code)["reason"] == reason
    assert "ListAccesses" not in desk.fake.seen


def test_a_receipt_that_does_not_verify_accuses_nobody(
    desk: Desk, wallet: Wallet, ada: Subject
) -> None:
    receipt = desk.fake.log.receipt(ada, 2)
    receipt.index = 0
    path = desk.folder / "forged.receipt"
    path.write_bytes(dump_receipt(receipt))
    facts = accesses(desk, wallet, "--receipt", path, code=1)
    assert facts["reason"] == "ACCESS_NOT_LOGGED"
    assert not (Path(wallet[1]) / "evidence").exists()


# What the wallet remembers ----------------------------------------------------------------------


def test_what_was_there_the_last_time_must_be_there_again(
    desk: Desk, wallet: Wallet, ada: Subject
) -> None:
    accesses(desk, wallet)
    kept = Path(wallet[1]) / "accesses.json"
    remembered = kept.read_bytes()
    assert json.loads(remembered)["length"] == 4
    assert kept.stat().st_mode & 0o777 == 0o600
    desk.fake.retell = leave_off(1)
    result = desk.run("wallet", "accesses", *wallet)
    assert result.exit_code == 1
    assert "does not hold" in result.stderr
    assert "reason: HISTORY_BROKEN" in result.stderr
    assert "4 entries about you were there before, 3 are left" in result.stderr
    assert "show it to the regulator" in result.stderr
    assert kept.read_bytes() == remembered  # so that it is found again the next time
    accesses(desk, wallet, code=1)
    desk.fake.retell = lambda told: told
    desk.fake.log.fill()
    assert accesses(desk, wallet)["ok"]
    assert json.loads(kept.read_bytes())["log_size"] == 9


def test_the_evidence_holds_what_was_signed_before_and_now(
    desk: Desk, wallet: Wallet, ada: Subject
) -> None:
    accesses(desk, wallet)
    before = desk.fake.log.checkpoint
    desk.fake.log.fill()
    desk.fake.retell = leave_off(1)
    folders = [Path(accesses(desk, wallet, code=1)["evidence"]) for _ in range(2)]
    assert [folder.name for folder in folders] == ["1", "2"]
    folder, fed = folders[0], desk.fake.federation
    assert {path.name for path in folder.iterdir()} == {
        *("page-1.response", "access-history.env", "checkpoint"),
        *("access-history-before.env", "checkpoint-before"),
    }
    lengths = []
    for name in ("access-history-before.env", "access-history.env"):
        envelope = v1.Envelope.FromString((folder / name).read_bytes())
        keys = fed.member(EXCHANGE).keys
        lengths.append(open_envelope(envelope, v1.AccessHistory, keys, fed.at).message.length)
    assert lengths == [4, 3]
    sizes = []
    for name in ("checkpoint-before", "checkpoint"):
        note = (folder / name).read_bytes()
        sizes.append(open_checkpoint(note, fed.anchors.log).size)
    assert sizes == [8, 9]
    assert (folder / "checkpoint-before").read_bytes() == before
    assert all(path.stat().st_mode & 0o077 == 0 for path in folder.iterdir())


def test_a_fork_of_the_log_is_told_with_both_notes(desk: Desk, wallet: Wallet) -> None:
    accesses(desk, wallet)
    log = desk.fake.log
    first = log.checkpoint
    log.leaves[0] = b"another act about somebody else"
    facts = accesses(desk, wallet, code=1)
    assert "forked" in facts["advice"]
    folder = Path(facts["evidence"])
    assert (folder / "checkpoint-before").read_bytes() == first
    assert (folder / "checkpoint").read_bytes() == log.checkpoint


def test_a_broken_history_is_told_though_the_evidence_cannot_be_kept(
    desk: Desk, wallet: Wallet
) -> None:
    accesses(desk, wallet)
    (Path(wallet[1]) / "evidence").write_text("in the way")
    desk.fake.retell = leave_off(1)
    facts = accesses(desk, wallet, code=1)
    assert facts["reason"] == "HISTORY_BROKEN"
    assert facts["evidence"] is None
    assert "could not be kept" in facts["advice"]


def test_a_memory_that_was_damaged_is_said_to_be_and_not_begun_anew(
    desk: Desk, wallet: Wallet
) -> None:
    path = Path(wallet[1]) / "accesses.json"
    path.write_bytes(b"{")
    facts = accesses(desk, wallet, code=2)
    assert facts["reason"] == "LOCAL"
    assert "accesses.json" in facts["advice"]
    assert path.read_bytes() == b"{"
    assert "ListAccesses" not in desk.fake.seen


# Failures ---------------------------------------------------------------------------------------


def test_what_the_exchange_refuses_is_told_with_the_reason(desk: Desk, wallet: Wallet) -> None:
    desk.fake.refuse["ListAccesses"] = [Refusal(Reason.REASON_BINDING_INVALID)]
    assert accesses(desk, wallet, code=1)["reason"] == "BINDING_INVALID"


def test_a_log_that_cannot_answer_now_exits_with_3(desk: Desk, wallet: Wallet) -> None:
    desk.fake.refuse["ListAccesses"] = [Refusal(Reason.REASON_LOG_UNAVAILABLE)] * 4
    assert accesses(desk, wallet, code=3)["reason"] == "LOG_UNAVAILABLE"


def test_a_wallet_that_is_not_bound_is_told_so(desk: Desk) -> None:
    option = ("--wallet", desk.folder / "wallet")
    desk.json("wallet", "new", *desk.trust, *option)
    assert "wallet bind" in desk.json("wallet", "accesses", *option, code=2)["advice"]
