"""`concordat pki`, as typed."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from clients.cli.pki import app
from concordat.trust.sealed import SealingKey

BUNDLE = "pki/trust-bundle.json"
DRAFT = "pki/members/bank/licence.draft.env"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    assert run("init", "test.concordat").exit_code == 0
    assert run("member", "bank").exit_code == 0
    return tmp_path


def test_a_lender_is_licensed_suspended_and_shown() -> None:
    licensed = run(
        *("licence", "bank", "--role", "lender", "--purpose", "credit-application"),
        *("--legal-name", "A Bank", "--days", "30", "--profile", "uk", "--json"),
    )
    assert licensed.exit_code == 0, licensed.output
    assert json.loads(licensed.stdout)["version"] == 1
    shown = run("show", "pki/members/bank/licence.env", "--trust-bundle", BUNDLE)
    assert shown.exit_code == 0
    for text in ("A Bank", "PROFILE_UK", "PURPOSE_CREDIT_APPLICATION", "verifies against"):
        assert text in shown.stdout
    suspended = run("status", "bank", "suspended", "--legal-basis", "art. 41", "--json")
    path = json.loads(suspended.stdout)["path"]
    facts = json.loads(run("show", path, "--trust-bundle", BUNDLE, "--json").stdout)
    assert (facts["kind"], facts["verifies"]) == ("LicenceStatus", True)
    assert facts["statement"]["standing"] == "STANDING_SUSPENDED"


def test_a_licence_is_collected_from_two_roots() -> None:
    drafted = run("licence", "bank", "--role", "regulator", "--unsigned", "--json")
    assert json.loads(drafted.stdout) == {"ok": True, "path": DRAFT, "signed": 1, "needed": 2}
    assert run("show", DRAFT, "--trust-bundle", BUNDLE).exit_code == 1
    again = run("sign", DRAFT, "--root-key", "pki/roots/root-1.key")
    assert again.exit_code == 1
    assert "another root must" in again.stderr
    signed = run("sign", DRAFT, "--root-key", "pki/roots/root-2.key", "--json")
    assert json.loads(signed.stdout)["complete"]
    shown = run("show", "pki/members/bank/licence.env", "--trust-bundle", BUNDLE)
    assert shown.exit_code == 0


def test_roots_under_a_passphrase(folder: Path) -> None:
    (folder / "secret").write_text("open sesame\n")
    init = run("init", "test.concordat", "--folder", "locked", "--passphrase-file", "secret")
    assert init.exit_code == 0
    status = ("status", "bank", "revoked", "--legal-basis", "x", "--folder", "locked")
    assert run(*status).exit_code == 1
    assert run(*status, "--passphrase-file", "secret").exit_code == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("licence", "bank", "--role", "emperor"),
        ("licence", "bank"),
        ("status", "bank", "retired", "--legal-basis", "x"),
        ("init",),
        ("nonsense",),
    ],
)
def test_a_wrong_command_line_is_exit_code_2(arguments: tuple[str, ...]) -> None:
    assert run(*arguments).exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("init", "test.concordat"), "not empty"),
        (("init", "Not A Name", "--folder", "new"), "federation"),
        (("member", "bank"), "has keys already"),
        (("member", "other", "--folder", "nowhere"), "concordat pki init"),
        (("licence", "nobody", "--role", "regulator"), "concordat pki member nobody"),
        (("licence", "exchange", "--role", "provider"), "score_scale"),
        (("show", "missing.env"), "cannot read missing.env"),
        (("show", BUNDLE), "no signed statement"),
    ],
)
def test_a_refusal_is_exit_code_1_and_says_what_to_do(
    arguments: tuple[str, ...], told: str
) -> None:
    plain, machine = run(*arguments), run(*arguments, "--json")
    assert (plain.exit_code, machine.exit_code) == (1, 1)
    assert told in plain.stderr
    answer = json.loads(machine.stdout)
    assert answer["ok"] is False
    assert told in answer["error"]
    assert answer["reason"]
    assert answer["advice"]


def test_show_does_not_pretend_to_have_checked() -> None:
    run("licence", "bank", "--role", "regulator")
    facts = json.loads(run("show", "pki/members/bank/licence.env", "--json").stdout)
    assert facts["verifies"] is None


def test_a_reviewer_is_licensed_with_the_key_that_evidence_is_sealed_to(folder: Path) -> None:
    assert run("member", "ombuds").exit_code == 0
    without = run("licence", "ombuds", "--role", "reviewer")
    assert without.exit_code == 1
    assert "concordat pki sealing-key ombuds" in without.stderr
    made = json.loads(run("sealing-key", "ombuds", "--json").stdout)
    assert SealingKey.load(folder / made["path"], None).public_key.hex() == made["public_key"]
    assert run("sealing-key", "ombuds").exit_code == 1  # never overwritten
    assert run("licence", "ombuds", "--role", "reviewer").exit_code == 0
    shown = run("show", "pki/members/ombuds/licence.env", "--trust-bundle", BUNDLE)
    assert made["public_key"] in shown.stdout


def test_a_reviewer_may_keep_its_key_to_itself() -> None:
    assert run("member", "ombuds").exit_code == 0
    own = SealingKey.generate().public_key.hex()
    licensed = run("licence", "ombuds", "--role", "appeal", "--sealing-key", own)
    assert licensed.exit_code == 0, licensed.stderr
    assert own in run("show", "pki/members/ombuds/licence.env").stdout
    for wrong in ("zz", "00" * 31):
        assert run("licence", "ombuds", "--role", "appeal", "--sealing-key", wrong).exit_code == 1
    lender = ("licence", "bank", "--role", "lender", "--purpose", "credit-application")
    assert run(*lender, "--sealing-key", own).exit_code == 1


def test_a_furnisher_is_licensed_for_some_debts_under_a_profile_of_the_operators() -> None:
    licensed = run(
        *("licence", "bank", "--role", "furnisher", "--own-profile", "atlantis"),
        *("--furnishes", "loan", "--furnishes", "guarantee"),
    )
    assert licensed.exit_code == 0, licensed.stderr
    shown = run("show", "pki/members/bank/licence.env").stdout
    for text in ("PROFILE_OWN", "atlantis", "LISTING_BASIS_LOAN, LISTING_BASIS_GUARANTEE"):
        assert text in shown
