"""`concordat regulator case` offline: a case is proposed, read and approved, and by no one twice."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from clients.cli import regulator_case_render as render
from clients.cli.main import app
from concordat import v1
from concordat.federation.anchors import save_bundle
from concordat.trust.keys import key_id
from concordat.v1 import CaseScope
from concordat.verify.case import open_case
from tests.builders import REGULATOR, Federation, signer
from tests.case_builders import OFFICERS, CaseHouse, approver_keys


def run(*arguments: object, code: int = 0) -> Any:
    done = CliRunner().invoke(app, [*map(str, arguments), "--json"])
    assert done.exit_code == code, done.output
    return json.loads(done.stdout)


@pytest.fixture
def federation(tmp_path: Path) -> Federation:
    federation = Federation()
    keys = approver_keys(federation)
    federation.enrol(REGULATOR, v1.Role.ROLE_REGULATOR, version=2, approvers=keys)
    save_bundle(federation.bundle, tmp_path / "bundle.json")
    for officer in OFFICERS:
        signer(officer).save(tmp_path / f"{officer}.key", None)
    return federation


def propose(folder: Path, *options: object, code: int = 0) -> Any:
    return run(
        *("regulator", "case", "propose", folder / "case.env"),
        *("--trust-bundle", folder / "bundle.json", "--regulator", REGULATOR),
        *("--article", "Banking Act Art. 12(3)", "--reference", "FR/2026-0117", *options),
        code=code,
    )


def test_a_case_goes_from_proposal_to_two_approvals(tmp_path: Path, federation: Federation) -> None:
    ada = federation.subject()
    said = propose(tmp_path, "--subject", ada.ref.hex(), "--scope", "consents")
    assert (said["signed_by"], said["scopes"]) == ([], ["consents"])
    case = ("regulator", "case", "approve", tmp_path / "case.env", "--yes", "--key")
    run(*case, tmp_path / f"{OFFICERS[0]}.key")
    assert (
        "signed the case already" in run(*case, tmp_path / f"{OFFICERS[0]}.key", code=2)["advice"]
    )
    run(*case, tmp_path / f"{OFFICERS[1]}.key")
    shown = run("regulator", "case", "show", tmp_path / "case.env")
    assert shown["signed_by"] == [key_id(signer(name).public_key) for name in OFFICERS[:2]]
    envelope = v1.Envelope.FromString((tmp_path / "case.env").read_bytes())
    opened = open_case(envelope, federation.member(REGULATOR), federation.anchors)
    assert opened.message.subject_ref == ada.ref
    assert opened.message.scopes == [CaseScope.CASE_SCOPE_CONSENTS]


@pytest.mark.parametrize("said", ["", "n\n", "y\n"])
def test_an_officer_reads_what_a_case_says_before_it_is_signed(
    tmp_path: Path, federation: Federation, said: str
) -> None:
    ada = federation.subject()
    propose(tmp_path, "--subject", ada.ref.hex())
    command = ["regulator", "case", "approve", str(tmp_path / "case.env")]
    command += ["--key", str(tmp_path / f"{OFFICERS[0]}.key")]
    asked = CliRunner().invoke(app, command, input=said)
    assert "Banking Act Art. 12(3)" in asked.stdout
    envelope = v1.Envelope.FromString((tmp_path / "case.env").read_bytes())
    assert len(envelope.signatures) == int(said == "y\n")
    assert (asked.exit_code == 0) == (said == "y\n")


def test_a_script_says_that_it_was_read(tmp_path: Path, federation: Federation) -> None:
    propose(tmp_path, "--subject", federation.subject().ref.hex())
    key = ("--key", tmp_path / f"{OFFICERS[0]}.key")
    said = run("regulator", "case", "approve", tmp_path / "case.env", *key, code=2)
    assert "--yes" in said["advice"]


def test_a_case_file_is_not_overwritten_and_names_a_whole_subject(
    tmp_path: Path, federation: Federation
) -> None:
    subject = ("--subject", federation.subject().ref.hex())
    propose(tmp_path, *subject)
    assert "name a new file" in propose(tmp_path, *subject, code=2)["advice"]
    (tmp_path / "case.env").unlink()
    assert propose(tmp_path, "--subject", "ab", code=2)["reason"] == "STATEMENT_MALFORMED"
    assert propose(tmp_path, "--subject", "x", code=2)["reason"] == "LOCAL"


def test_what_is_no_case_is_not_approved(tmp_path: Path, federation: Federation) -> None:
    other = federation.member(REGULATOR).licence_envelope
    (tmp_path / "case.env").write_bytes(other.SerializeToString())
    key = tmp_path / f"{OFFICERS[0]}.key"
    said = run("regulator", "case", "approve", tmp_path / "case.env", "--yes", "--key", key, code=2)
    assert "holds no case" in said["advice"]


def test_what_was_seen_is_told_page_by_page(capsys: pytest.CaptureFixture[str]) -> None:
    house = CaseHouse(custodians=2)
    try:
        house.act()
        case = house.case(house.ada)
        for scope in CaseScope.values()[1:]:
            render.print_page(house.look_up(case, scope=scope))
        facts = render.facts_of(house.look_up(case))
    finally:
        house.close()
    printed = capsys.readouterr().out
    assert "listings: none." in printed
    assert printed.count("Sealed entry") == 3
    assert [each["result"] for each in facts["accesses"]].count("complete") == 1
    assert {each["purpose"] for each in facts["accesses"]} >= {"credit application"}
