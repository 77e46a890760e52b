"""What a provider keeps as proof that an access was logged, handed out to the person it was about."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from concordat import v1
from concordat.refusal import Refusal
from concordat.statements import digest_of
from concordat.store.engine import open_engine
from concordat.store.group_commit import GroupCommit
from concordat.trust.errors import StatementMalformedError
from concordat.verify.receipt import open_receipt
from concordat.verify.receipt_file import MAGIC, dump_receipt, parse_receipt
from provider.entries import own_access_of, refused_access_of
from provider.own_guard import check_own
from provider.store import journal
from provider.store.journal import Access, Outcome
from tests.builders import Federation, Granted
from tests.own_view_builders import own_ask
from tests.unit.provider.house import House


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    assert house.run("init").exit_code == 0
    yield house
    house.close()


def answered(house: House, name: str) -> tuple[Granted, v1.LogReceipt]:
    """Put one answered access on record; return its consent and the log's receipt."""
    fed = house.federation
    granted = fed.consent(fed.subject(name))
    ask = fed.score_request(granted)
    request = v1.ViewRequest.FromString(ask.view_request.payload)
    access = Access(
        subject_ref=request.subject_ref,
        request_digest=digest_of(ask.view_request),
        request_id=request.request_id,
        lender=request.lender,
        purpose=request.purpose,
        consent_id=granted.consent.consent_id,
        outcome=Outcome.SCORED,
        reason=0,
        at=1_780_000_000_000_000,
        statement_digest=bytes(32),
        receipt=ask.intent.SerializeToString(deterministic=True),
    )
    refused = refused_access_of(
        fed.score_request(granted), None, Refusal(v1.Reason.REASON_CONSENT_EXPIRED), fed.at
    )
    assert refused is not None
    store = GroupCommit(open_engine(f"sqlite:///{house.folder}/provider.db"))
    store.run(lambda connection: journal.write(connection, [access, refused]))
    store.close()
    return granted, ask.intent


def test_each_receipt_of_the_person_is_written_and_still_proves_the_access(house: House) -> None:
    granted, receipt = answered(house, "ada")
    answered(house, "bob")
    out = house.folder / "out"
    ref = granted.consent.subject_ref.hex()
    result = house.run("receipts", "--subject-ref", ref, "--out", out, "--json")
    assert result.exit_code == 0, result.output
    (row,) = json.loads(result.output)["receipts"]
    (file,) = out.iterdir()
    assert (row["file"], row["log_index"]) == (str(file), receipt.index)
    read = parse_receipt(file.read_bytes())
    logged = open_receipt(read, house.federation.anchors)
    assert (read, logged.record.subject_ref.hex()) == (receipt, ref)


def test_a_persons_own_look_is_handed_out_as_its_own(house: House) -> None:
    fed = house.federation
    person = fed.subject("ada")
    ask = own_ask(fed, person)
    item = check_own(ask, provider=house.member_id, anchors=fed.anchors, at=fed.at)
    store = GroupCommit(open_engine(f"sqlite:///{house.folder}/provider.db"))
    refusal = Refusal(v1.Reason.REASON_SCORE_OUT_OF_SCALE)
    access = own_access_of(item, fed.at, refusal=refusal)
    store.run(lambda connection: journal.write(connection, [access]))
    store.close()
    out = house.folder / "out"
    result = house.run("receipts", "--subject-ref", person.ref.hex(), "--out", out, "--json")
    (row,) = json.loads(result.output)["receipts"]
    assert row["lender"] == "(the person itself)"
    logged = open_receipt(parse_receipt(Path(row["file"]).read_bytes()), fed.anchors)
    assert logged.record.WhichOneof("act") == "own_look"


def test_a_person_that_nobody_asked_about_gets_an_empty_list(house: House) -> None:
    result = house.run("receipts", "--subject-ref", bytes(32).hex(), "--json")
    assert (result.exit_code, json.loads(result.output)) == (0, {"receipts": []})


@pytest.mark.parametrize("reference", ["", "ab", "zz" * 32, "ab" * 33])
def test_what_is_no_reference_is_a_wrong_command_line(house: House, reference: str) -> None:
    assert house.run("receipts", "--subject-ref", reference).exit_code == 2


def test_a_file_that_is_no_receipt_is_refused() -> None:
    receipt = Federation().score_request(Federation().consent(Federation().subject("ada"))).intent
    good = dump_receipt(receipt)
    unknown = b"\xf8\x07\x01"  # field 127
    for bad in (b"", good[1:], good[:-1], MAGIC, good + unknown, good + bytes(65_536)):
        with pytest.raises(StatementMalformedError):
            parse_receipt(bad)
