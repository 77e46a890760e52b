"""`concordat-provider listings`: what an operator types, with no node running and beside one that is."""

import csv
import gzip
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from concordat import v1
from concordat.clock import to_timestamp
from concordat.ids import new_id
from concordat.refusal import Refusal
from concordat.statements import seal
from concordat.trust.debt import parse_debt_token
from concordat.v1 import DutyKind, ListingAction, ListingKind, Reason, Role
from tests.builders import signer
from tests.unit.provider.house import SELF, House, ref_of
from tests.unit.provider.listings.builders import evidence, ref
from tests.unit.provider.running import running

ALL_FOUR = ("--attest", "accurate,adult,unsecured,not-frozen")
SINCE = (datetime.now(UTC) - timedelta(days=80)).date().isoformat()
TODAY = datetime.now(UTC).date().isoformat()
FACTS = {
    "subject_ref": ref("ada").hex(),
    "reference": "L-1",
    "basis": "loan",
    "amount": "1234.50",
    "currency": "EUR",
    "delinquent_since": SINCE,
    "evidence_hash": evidence().hex(),
}


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    assert house.run("init").exit_code == 0
    yield house
    house.close()


def run(house: House, *arguments: str | Path) -> tuple[int, dict[str, Any]]:
    """Run a command with --json; return its exit code and what it printed."""
    result = house.run("listings", *arguments, "--json")
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, json.loads(result.stdout) if result.stdout.startswith("{") else {}


def options(**changed: str) -> list[str]:
    facts = {name: value for name, value in (FACTS | changed).items() if value}
    return [part for k, v in facts.items() for part in (f"--{k.replace('_', '-')}", v)]


def file(house: House, *more: str, **changed: str) -> tuple[int, dict[str, Any]]:
    return run(house, "file", *ALL_FOUR, *options(**changed), *more)


def table(house: House, rows: Sequence[dict[str, str]], name: str = "debts.csv") -> Path:
    path = house.folder / name
    with path.open("w", newline="") as out:
        writer = csv.DictWriter(out, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def file_table(house: House, path: Path, *more: str) -> tuple[int, dict[str, Any]]:
    return run(house, "file", *ALL_FOUR, "--csv", path, *more)


def only_filing(house: House) -> v1.ListingFiling:
    (filing,) = house.furnishing.filings.values()
    return filing


# file: one debt ---------------------------------------------------------------------------------


def test_a_debt_is_filed_as_it_was_said_and_filing_it_again_changes_nothing(house: House) -> None:
    code, told = file(house)
    assert (code, told["sent"], told["unchanged"]) == (0, 1, 0)
    filing = only_filing(house)
    assert (filing.source, filing.subject_ref) == (SELF, ref("ada"))
    assert (filing.amount.currency, filing.amount.minor) == ("EUR", 123_450)
    assert filing.delinquent_since.ToDatetime().date().isoformat() == SINCE
    assert filing.kind == ListingKind.LISTING_KIND_DEBT
    vouched = filing.attestation
    assert [vouched.accurate, vouched.adult, vouched.unsecured, vouched.not_frozen] == [True] * 4
    code, told = file(house)
    assert (code, told["sent"], told["unchanged"]) == (0, 0, 1)
    assert len(house.furnishing.filings) == 1


@pytest.mark.parametrize("said", ["accurate,adult,unsecured", "", "accurate", "accurate,adult,x"])
def test_nothing_is_attested_that_was_not_said(house: House, said: str) -> None:
    result = house.run("listings", "file", "--attest", said, *options())
    assert result.exit_code == 2
    assert house.run("listings", "file", *options()).exit_code == 2  # nor by default
    assert house.furnishing.filings == {}


def test_an_identity_number_is_looked_up_at_the_registrar(house: House) -> None:
    code, _ = file(house, subject_ref="", identity_number="ID-7")
    assert code == 0
    assert only_filing(house).subject_ref == ref_of(b"ID-7")
    code, told = file(house, subject_ref="", identity_number="bad")
    assert (code, told["rejected"]) == (1, {"IDENTITY_MALFORMED": 1})


def test_what_is_private_can_be_said_where_no_list_of_processes_shows_it(
    house: House,
) -> None:
    debt = options(subject_ref="", identity_number="-")
    result = house.run("listings", "file", *ALL_FOUR, *debt, stdin="ID-9\nnot read\n")
    assert result.exit_code == 0
    assert only_filing(house).subject_ref == ref_of(b"ID-9")


def test_evidence_is_a_file_of_which_only_the_hash_is_filed(house: House) -> None:
    (house.folder / "contract.pdf").write_bytes(b"contract")
    code, _ = file(house, evidence_hash="", evidence_file=str(house.folder / "contract.pdf"))
    assert code == 0
    assert only_filing(house).evidence_hash == evidence("contract")


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"amount": "12.345"}, "AMOUNT_MALFORMED"),
        ({"amount": "-1"}, "AMOUNT_MALFORMED"),
        ({"amount": "1_000"}, "AMOUNT_MALFORMED"),
        ({"amount": ""}, "amount"),
        ({"currency": "eur"}, "CURRENCY_MALFORMED"),
        ({"basis": "friendship"}, "BASIS_UNKNOWN"),
        ({"basis": "judgment"}, "JUDGMENT_INCOMPLETE"),
        ({"subject_ref": "ab"}, "SUBJECT_REF_MALFORMED"),
        ({"reference": "a\x1b[31m"}, "REFERENCE_MALFORMED"),
        ({"delinquent_since": "yesterday"}, "DATE_MALFORMED"),
        ({"evidence_hash": "", "evidence_file": "gone.pdf"}, "EVIDENCE_MISSING"),
        ({"debt_token": "concordat-debt-1.x"}, "DEBT_TOKEN_MALFORMED"),
    ],
)
def test_a_debt_that_is_none_is_refused_before_anything_is_done(
    house: House, changed: dict[str, str], why: str
) -> None:
    result = house.run("listings", "file", *ALL_FOUR, *options(**changed))
    assert result.exit_code == 2
    assert why in result.stderr
    assert house.furnishing.calls == []


def test_what_comes_late_says_why(house: House) -> None:
    old = (datetime.now(UTC) - timedelta(days=120)).date().isoformat()
    code, told = file(house, delinquent_since=old)
    assert (code, told["rejected"]) == (1, {"LATE_CODE_MISSING": 1})
    code, _ = file(house, delinquent_since=old, late="waited-to-be-eligible")
    assert code == 0
    assert only_filing(house).late == v1.LateFilingCode.LATE_FILING_CODE_WAITED_TO_BE_ELIGIBLE


def test_a_debt_is_filed_by_its_buyer_under_the_same_name(house: House, tmp_path: Path) -> None:
    assert file(house)[0] == 0
    code, told = run(house, "debt-token", "L-1")
    assert code == 0
    folder = tmp_path / "buyer"
    folder.mkdir()
    buyer = House(folder, "buyer-ltd", [Role.ROLE_FURNISHER])
    assert buyer.run("init").exit_code == 0
    facts = {**FACTS, "reference": "", "debt_token": told["debt_token"], "late": "acquired"}
    parts = [p for k, v in facts.items() if v for p in (f"--{k.replace('_', '-')}", v)]
    assert run(buyer, "file", *ALL_FOUR, *parts)[0] == 0
    assert only_filing(buyer).debt_commitment == only_filing(house).debt_commitment
    code, told = run(buyer, "status", "L-1")
    assert told["debts"][0]["creditor"] == SELF
    buyer.close()


def test_a_refusal_is_told_with_its_reason_and_kept(house: House) -> None:
    house.furnishing.refuse = lambda _: Refusal(Reason.REASON_LISTING_INELIGIBLE)
    code, told = file(house)
    assert (code, told["refused"]) == (1, {"LISTING_INELIGIBLE": 1})
    _, told = run(house, "status")
    (trouble,) = told["troubled"]
    assert (trouble["reference"], trouble["reason"]) == ("L-1", "LISTING_INELIGIBLE")
    assert "may not be listed" in trouble["message"]
    house.furnishing.refuse = lambda _: None
    code, told = file(house)  # and may be filed anew once what was wrong is right
    assert (code, told["sent"]) == (0, 1)


def test_an_exchange_that_is_away_leaves_it_queued(house: House) -> None:
    house.unplug()
    code, told = file(house, "--wait", "0.5")
    assert (code, told["queued"], bool(told["trouble"])) == (0, 1, True)
    _, told = run(house, "status")
    assert told["outbox"]["queued"] == 1
    house.plug_in()
    code, told = file(house, reference="L-2")  # any later command sends it too
    assert (code, told["sent"]) == (0, 1)
    assert len(house.furnishing.filings) == 2


# file: many -------------------------------------------------------------------------------------


def test_a_file_is_filed_row_by_row_and_bad_rows_are_told_by_line(house: House) -> None:
    rows = [FACTS | {"reference": f"L-{n}", "amount": str(n * 100)} for n in range(1, 7)]
    rows[1]["amount"] = "1e5"
    rows[3]["reference"] = ""
    rows[4]["delinquent_since"] = "2999-01-01"
    path = table(house, rows)
    house.furnishing.refuse = lambda statement: (
        Refusal(Reason.REASON_LISTING_INELIGIBLE)
        if isinstance(statement, v1.ListingFiling) and statement.amount.minor == 60_000
        else None
    )
    code, told = file_table(house, path)
    assert code == 3
    assert (told["read"], told["sent"]) == (6, 2)
    assert told["refused"] == {"LISTING_INELIGIBLE": 1}
    with path.with_name("debts.csv.rejects.csv").open(newline="") as rejected:
        assert {(row["line"], row["reason"]) for row in csv.DictReader(rejected)} == {
            ("3", "AMOUNT_MALFORMED"),
            ("5", "REFERENCE_MALFORMED"),
            ("6", "DATE_IN_FUTURE"),
            ("7", "LISTING_INELIGIBLE"),
        }


def test_a_file_by_identity_numbers_in_any_form_and_options_for_what_is_the_same_everywhere(
    house: House,
) -> None:
    rows = [
        {"identity_number": f"ID-{n}", "reference": f"L-{n}", "amount_minor": "50000"}
        for n in range(2500)
    ]
    path = table(house, rows)
    zipped = path.with_suffix(".csv.gz")
    zipped.write_bytes(gzip.compress(path.read_bytes()))
    same = ("--basis", "loan", "--currency", "EUR", "--delinquent-since", SINCE)
    code, told = file_table(house, zipped, *same, "--evidence-hash", evidence().hex())
    assert (code, told["sent"], told["rejected"]) == (0, 2500, {})
    assert len({filing.subject_ref for filing in house.furnishing.filings.values()}) == 2500
    assert max(house.peer.batches) <= 1024
    code, told = file_table(house, zipped, *same, "--evidence-hash", evidence().hex())
    assert (code, told["unchanged"]) == (0, 2500)
    assert len(house.furnishing.filings) == 2500


@pytest.mark.parametrize(
    ("columns", "why"),
    [
        ("subject_ref,reference,amount,currency,delinquent_since,evidence_hash,name", "unknown"),
        ("subject_ref,reference,amount,currency,delinquent_since,evidence_hash,note", "unknown"),
        ("subject_ref,amount,currency,delinquent_since,evidence_hash", "neither reference"),
        ("reference,amount,currency,delinquent_since,evidence_hash", "identity_number"),
        ("subject_ref,reference,amount,currency,evidence_hash", "missing: delinquent_since"),
    ],
)
def test_a_file_with_other_columns_is_refused_whole(house: House, columns: str, why: str) -> None:
    path = house.folder / "debts.csv"
    path.write_text(columns + "\n")
    result = house.run("listings", "file", *ALL_FOUR, "--csv", path)
    assert result.exit_code == 2
    assert why in result.stderr


def test_a_file_that_is_cut_off_is_filed_as_far_as_it_goes(house: House) -> None:
    rows = [FACTS | {"reference": f"L-{n}"} for n in range(3000)]
    content = gzip.compress(table(house, rows).read_bytes())
    path = house.folder / "cut.csv.gz"
    path.write_bytes(content[: len(content) // 2])
    code, told = file_table(house, path)
    assert code == 1
    assert "damaged" in told["cut_short"]
    assert told["sent"] == len(house.furnishing.filings) > 0


# Events -----------------------------------------------------------------------------------------


def last_event(house: House) -> v1.ListingEvent:
    return list(house.furnishing.events.values())[-1]


def test_a_listing_is_reconfirmed_corrected_settled_and_withdrawn(house: House) -> None:
    file(house)
    filing_id = only_filing(house).filing_id
    listing_id = house.furnishing.standing(filing_id).listing_id
    assert run(house, "reconfirm", "L-1")[0] == 0
    assert last_event(house).action == ListingAction.LISTING_ACTION_RECONFIRM
    digits = evidence("statement").hex()
    code, told = run(house, "correct", "L-1", "--amount", "99.90", "--evidence-hash", digits)
    assert (code, told["said"][0]["outcome"]) == (0, "sent")
    facts = last_event(house).correction
    assert (facts.amount.minor, facts.evidence_hash) == (9990, evidence("statement"))
    assert facts.delinquent_since == only_filing(house).delinquent_since
    paid = ("--paid-on", TODAY, "--receipt-hash", evidence("receipt").hex())
    assert run(house, "settle", "L-1", *paid)[0] == 0
    assert last_event(house).settlement.receipt_hash == evidence("receipt")
    assert run(house, "settle", "L-1", *paid)[1]["said"][0]["outcome"] == "unchanged"
    assert run(house, "withdraw", "L-1", "--code", "waived")[0] == 0
    assert {event.listing_id for event in house.furnishing.events.values()} == {listing_id}
    code, told = run(house, "reconfirm", "L-1")
    assert (code, told["said"][0]["outcome"]) == (1, "LISTING_ENDED")
    _, told = run(house, "status", "L-1")
    (debt,) = told["debts"]
    assert (debt["state"], debt["ended"], debt["amount"]) == ("withdrawn", True, "99.90 EUR")
    assert [post["what"] for post in debt["said"]] == [
        "file",
        "reconfirm",
        "correct",
        "settle",
        "withdraw",
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        ("reconfirm",),
        ("reconfirm", "L-1", "--due"),
        ("reconfirm", "L-2"),
        ("withdraw", "L-1", "--code", "spite"),
        ("settle", "L-1", "--paid-on", "soon", "--receipt-hash", "00" * 32),
        ("settle", "L-1", "--paid-on", TODAY),
        ("settle", "L-1", "--paid-on", TODAY, "--receipt-hash", "00"),
        ("correct", "L-1", "--evidence-hash", "00" * 32),
        ("correct", "L-1", "--amount", "9999", "--evidence-hash", "00" * 32),
        ("correct", "L-1", "--delinquent-since", TODAY, "--evidence-hash", "00" * 32),
        ("status", "L-2"),
        ("status", "--refresh"),
    ],
)
def test_wrong_usage_says_nothing_to_the_exchange(house: House, arguments: tuple[str, ...]) -> None:
    file(house)
    calls = len(house.furnishing.calls)
    assert run(house, *arguments)[0] == 2
    assert len(house.furnishing.calls) == calls


def test_of_joint_debtors_each_has_a_listing_and_one_must_be_named(house: House) -> None:
    file(house)
    file(house, subject_ref=ref("bob").hex())
    code, told = run(house, "withdraw", "L-1", "--code", "sold")
    assert code == 2
    assert ref("bob").hex() in told["error"]
    code, _ = run(house, "withdraw", "L-1", "--code", "sold", "--subject-ref", ref("bob").hex())
    assert code == 0
    states = {d["subject_ref"]: d["state"] for d in run(house, "status", "L-1")[1]["debts"]}
    assert states == {ref("ada").hex(): "draft", ref("bob").hex(): "withdrawn"}


def test_a_debt_that_was_withdrawn_returns_only_with_a_certificate(house: House) -> None:
    file(house)
    run(house, "withdraw", "L-1", "--code", "filed-in-error")
    code, told = file(house)
    assert (code, told["rejected"]) == (1, {"NEEDS_REINSERTION": 1})
    code, told = file(house, "--reinsert", evidence_hash=evidence("new").hex())
    assert (code, told["sent"]) == (0, 1)
    filings = list(house.furnishing.filings.values())
    assert len({filing.filing_id for filing in filings}) == 2
    assert filings[1].reinsertion == v1.Reinsertion(
        certified=True, new_evidence_hash=evidence("new")
    )


def test_where_a_listing_stands_is_asked_anew(house: House) -> None:
    file(house)
    standing = house.furnishing.standing(only_filing(house).filing_id)
    standing.state = v1.ListingState.LISTING_STATE_EFFECTIVE
    assert run(house, "status", "L-1")[1]["debts"][0]["state"] == "draft"
    assert run(house, "status", "L-1", "--refresh")[1]["debts"][0]["state"] == "effective"
    assert len(house.furnishing.filings) == 1


def duty(house: House, kind: DutyKind.ValueType, filing_id: bytes, **fields: Any) -> v1.Duty:
    return v1.Duty(
        kind=kind,
        filing_id=filing_id,
        standing=house.furnishing.standing(filing_id),
        due_at=to_timestamp(datetime.now(UTC)),
        subject_ref=house.furnishing.filings[filing_id].subject_ref,
        **fields,
    )


def test_duties_are_shown_and_those_to_reconfirm_are_reconfirmed_at_once(house: House) -> None:
    for n in range(5):
        file(house, reference=f"L-{n}")
    ids = [filing.filing_id for filing in house.furnishing.filings.values()]
    dispute = v1.Dispute(
        dispute_id=new_id(),
        federation=house.federation.name,
        subject_ref=ref("ada"),
        listing_id=house.furnishing.standing(ids[4]).listing_id,
        stage=v1.DisputeStage.DISPUTE_STAGE_CONTEST,
        ground=v1.DisputeGround.DISPUTE_GROUND_NOT_MINE,
        reviewer="ombud",
        raised_at=to_timestamp(datetime.now(UTC)),
    )
    answer = duty(
        house,
        DutyKind.DUTY_KIND_ANSWER_DISPUTE,
        ids[4],
        dispute=seal(dispute, signer("wallet-ada")),
    )
    reconfirm = DutyKind.DUTY_KIND_RECONFIRM
    house.furnishing.duties = [*(duty(house, reconfirm, i) for i in ids[:4]), answer]
    code, told = run(house, "duties")
    assert code == 0
    assert [one["reference"] for one in told["duties"]] == [f"L-{n}" for n in range(5)]
    assert (told["duties"][4]["what"], told["duties"][4]["ground"]) == (
        "answer dispute",
        "not mine",
    )
    code, told = run(house, "reconfirm", "--due")
    assert (code, [one["outcome"] for one in told["said"]]) == (0, ["sent"] * 4)
    assert len(house.furnishing.events) == 4
    assert run(house, "duties")[0] == 0
    house.unplug()
    assert run(house, "duties")[0] == 1


def test_a_regulators_order_is_among_the_duties_with_what_is_wrong_and_on_what_it_rests(
    house: House,
) -> None:
    file(house, reference="L-1")
    (filing,) = house.furnishing.filings.values()
    now = datetime.now(UTC)
    order = v1.CorrectionOrder(
        order_id=new_id(),
        federation=house.federation.name,
        regulator="regulator",
        furnisher=filing.source,
        subject_ref=filing.subject_ref,
        listing_id=house.furnishing.standing(filing.filing_id).listing_id,
        action=v1.OrderedAction.ORDERED_ACTION_CORRECT,
        facts=[v1.OrderedFact.ORDERED_FACT_AMOUNT],
        legal_article="Order 631 art. 25",
        due_at=to_timestamp(now + timedelta(days=10)),
        issued_at=to_timestamp(now),
    )
    obey = DutyKind.DUTY_KIND_OBEY_ORDER
    sealed = seal(order, signer("regulator"))
    house.furnishing.duties = [duty(house, obey, filing.filing_id, order=sealed)]
    (told,) = run(house, "duties")[1]["duties"]
    assert (told["reference"], told["ground"]) == ("L-1", "amount")
    assert told["how"] == "correct it; by Order 631 art. 25"
    assert told["order_id"] == order.order_id.hex()


# Beside a node ----------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_every_command_works_beside_a_node_that_runs(house: House) -> None:
    with running(house) as node:
        assert (
            house.run("load", house.folder / "none.csv").exit_code == 1
        )  # the node has the database
        code, told = file(house)
        assert (code, told["sent"]) == (0, 1)
        path = table(house, [FACTS | {"reference": f"M-{n}"} for n in range(1500)])
        code, told = file_table(house, path)
        assert (code, told["sent"]) == (0, 1500)
        assert run(house, "reconfirm", "L-1")[0] == 0
        paid = ("--paid-on", TODAY, "--receipt-hash", "00" * 32)
        assert run(house, "settle", "L-1", *paid)[1]["said"][0]["outcome"] == "sent"
        assert run(house, "status", "L-1", "--refresh")[1]["debts"][0]["state"] == "settled"
        assert run(house, "withdraw", "M-7", "--code", "paid")[0] == 0
        token = parse_debt_token(run(house, "debt-token", "M-7")[1]["debt_token"])
        debts = {f.debt_commitment for f in house.furnishing.filings.values()}
        assert token.commitment(ref("ada")) in debts
        assert run(house, "duties")[0] == 0
        assert house.run("check").exit_code == 0
        assert node.stop() == 0
    assert run(house, "status")[1]["outbox"] == {
        "waiting": 0,
        "queued": 0,
        "sent": 1504,
        "refused": 0,
    }


# The debt key, and the spool --------------------------------------------------------------------


def test_the_debt_key_is_made_once_for_its_owner_alone_and_is_in_no_database(house: House) -> None:
    key = house.folder / "debt.key"
    assert key.stat().st_mode & 0o777 == 0o600
    made = key.read_bytes()
    assert len(made) == 32
    assert house.run("init").exit_code == 0
    file(house)
    token = parse_debt_token(run(house, "debt-token", "L-1")[1]["debt_token"])
    assert key.read_bytes() == made
    for path in house.folder.glob("provider.db*"):
        content = path.read_bytes()
        assert made not in content
        assert token.secret not in content


def test_a_debt_key_that_is_lost_or_another_gives_no_debt_a_second_name(house: House) -> None:
    file(house)
    key = house.folder / "debt.key"
    made = key.read_bytes()
    key.unlink()
    for command in (["listings", "debt-token", "L-1"], ["init"]):
        result = house.run(*command)
        assert result.exit_code == 2
        assert "restore it" in result.stderr
    assert file(house, reference="L-2")[0] == 2
    key.write_bytes(b"x" * 32)
    key.chmod(0o600)
    code, told = file(house, reference="L-2")
    assert code == 2
    assert "restore the right file" in told["error"]
    assert house.run("check").exit_code == 1
    key.write_bytes(made)
    key.chmod(0o644)
    code, told = file(house, reference="L-2")
    assert code == 2
    assert "chmod 600" in told["error"]
    key.chmod(0o600)
    assert file(house, reference="L-2")[0] == 0


def test_a_spool_that_others_may_write_to_is_not_used(house: House) -> None:
    file(house)
    spool = house.folder / "listings-spool"
    assert spool.stat().st_mode & 0o777 == 0o700
    spool.chmod(0o770)
    for command in (["listings", "file", *ALL_FOUR, *options(reference="L-2")], ["serve"]):
        result = house.run(*command)
        assert result.exit_code == 1
        assert "chmod 700" in result.stderr
    assert house.run("check").exit_code == 1


def test_nothing_personal_is_left_in_the_spool(house: House) -> None:
    file(house)
    left = [path.name for path in (house.folder / "listings-spool").iterdir()]
    assert left == [".holder"]


# A member with no scores ------------------------------------------------------------------------


@pytest.mark.timeout(180)
@pytest.mark.parametrize(
    ("member_id", "role"),
    [("dune-telecom", Role.ROLE_FURNISHER), ("county-court", Role.ROLE_COURT)],
)
def test_a_furnisher_or_court_runs_with_no_scores_and_no_ports(
    tmp_path: Path, member_id: str, role: Role.ValueType
) -> None:
    house = House(tmp_path, member_id, [role])
    assert house.run("init").exit_code == 0
    assert house.run("check").exit_code == 0, house.run("check").output
    with running(house) as node:
        assert (node.members, node.public) == ("", "")
        assert file(house)[0] == 0
        assert node.stop() == 0
    assert only_filing(house).source == member_id
    result = house.run("load", house.folder / "scores.csv")
    assert result.exit_code == 2
    assert "no scores" in result.stderr
    house.close()


def test_a_provider_still_needs_its_addresses(house: House) -> None:
    text = house.config.read_text()
    house.config.write_text(text.replace("member_listen", "# member_listen"))
    result = house.run("serve")
    assert result.exit_code == 2
    assert "member_listen" in result.stderr


# On PostgreSQL ----------------------------------------------------------------------------------


@pytest.fixture
def own_postgres_url(postgres_url: str) -> Iterator[str]:
    admin = create_engine(postgres_url, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text("DROP DATABASE IF EXISTS listings_commands WITH (FORCE)"))
        connection.execute(text("CREATE DATABASE listings_commands"))
        yield make_url(postgres_url).set(database="listings_commands").render_as_string(False)
        connection.execute(text("DROP DATABASE listings_commands WITH (FORCE)"))
    admin.dispose()


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_the_commands_and_a_node_share_postgresql(tmp_path: Path, own_postgres_url: str) -> None:
    house = House(tmp_path, "dune-telecom", [Role.ROLE_FURNISHER], database=own_postgres_url)
    assert house.run("init").exit_code == 0
    path = table(house, [FACTS | {"reference": f"L-{n}"} for n in range(300)])
    code, told = file_table(house, path)
    assert (code, told["sent"]) == (0, 300)
    with running(house) as node:
        path = table(house, [FACTS | {"reference": f"L-{n}"} for n in range(600)])
        code, told = file_table(house, path)
        assert (code, told["sent"], told["unchanged"]) == (0, 300, 300)
        assert run(house, "withdraw", "L-7", "--code", "sold")[1]["said"][0]["outcome"] == "sent"
        assert node.stop() == 0
    assert len(house.furnishing.filings) == 600
    house.close()
