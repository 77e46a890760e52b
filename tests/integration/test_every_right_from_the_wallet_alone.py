"""Every right of a subject, by the wallet's commands alone, against a federation of real processes.

What others do (a lender asks, a furnisher files, a reviewer rules) is done by their own commands.
"""

import csv
import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from clients.cli.main import app
from clients.cli.wallet import app as wallet_app
from clients.sandbox import APPEALS, LENDER, REGISTRAR, REVIEWER, Sandbox
from clients.sandbox.furnishing import ATTESTED
from clients.wallet_report import rights_sections

NUMBER = "SBA-1516785008"
EMAIL = "ada.lovelace@example.org"
WORDS = "The shop opened a year late, as the lender knew."


def concordat(*arguments: object, code: int = 0, stdin: str = "") -> Any:
    """Run a command as a person would, and return its JSON."""
    done = CliRunner().invoke(app, [*map(str, arguments), "--json"], input=stdin)
    assert done.exit_code == code, f"{arguments}: {done.exit_code}\n{done.output}\n{done.exception}"
    return json.loads(done.stdout)


def test_each_right_that_a_report_names_has_its_command() -> None:
    group = typer.main.get_group(wallet_app)
    named = [
        name.strip(" .")
        for line in rights_sections.RIGHTS
        if "concordat wallet " in line
        for name in line.split("concordat wallet ")[1].split(",")
    ]
    assert len(named) > 12
    assert set(named) <= set(group.commands)


@pytest.fixture(scope="module")
def federation() -> Iterator[Sandbox]:
    settings = {"exchange": {"subjects": {"keep_access_days": 0}, "limits": {"threshold_days": 1}}}
    with Sandbox(providers=2, scores=True, settings=settings) as sandbox:
        yield sandbox


@dataclass
class Life:
    """One person, at the own command line, and those who deal with it at theirs."""

    federation: Sandbox
    folder: Path

    @property
    def bundle(self) -> tuple[object, ...]:
        return ("--trust-bundle", self.federation.trust_bundle)

    @property
    def wallet(self) -> Path:
        return self.folder / "wallet"

    def do(self, command: str, *arguments: object, code: int = 0, **options: Any) -> Any:
        at = options.pop("wallet", self.wallet)
        return concordat("wallet", command, *arguments, "--wallet", at, code=code, **options)

    def code(self) -> str:
        """Have the registrar's operator issue a code, having seen who asks."""
        from registrar.main import app as registrar  # noqa: PLC0415 - an operator's own command

        config = self.federation.config(REGISTRAR)
        options = ["issue-code", "--config", str(config), "--identity", NUMBER, "--json"]
        done = CliRunner().invoke(registrar, options)
        assert done.exit_code == 0, done.output
        return str(json.loads(done.stdout)["enrolment_code"])

    def who(self, member: str) -> tuple[object, ...]:
        return ("--member", self.federation.pki.member(member).folder, *self.bundle)

    def view(self, consent: Path, *options: object, code: int = 0) -> Any:
        return concordat(
            "view", "request", "--consent", consent, *options, *self.who(LENDER), code=code
        )


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_every_right_from_the_wallet_alone(federation: Sandbox, tmp_path: Path) -> None:
    life = Life(federation, tmp_path)
    concordat("wallet", "new", *life.bundle, "--wallet", life.wallet)
    life.do("bind", "--identity-number", NUMBER, "--enrolment-code", life.code())
    consent = consents_knowing_what_is_shared(life)
    sees_who_looked_and_what_was_decided(life, consent)
    pauses_resumes_and_revokes(life, consent)
    is_told_contests_and_is_heard(life)
    freezes_and_warns(life)
    has_the_whole_report(life)
    loses_the_key(life)
    has_it_erased(life)


def consents_knowing_what_is_shared(life: Life) -> Path:
    """The notice says with whom what is shared, how much, how often, how long; nothing is signed without a yes."""
    path = life.folder / "ada.consent"
    providers = [item for name in life.federation.provider_ids for item in ("--provider", name)]
    terms = ("--recipient", LENDER, *providers, "--data", "score", "--data", "listings")
    often = ("--uses", 9, "--per", "day", "--max-uses", 9, "--out", path)
    shown = CliRunner().invoke(
        app,
        [str(a) for a in ("wallet", "grant", *terms, *often, "--wallet", life.wallet)],
        input="n\n",
    )
    assert shown.exit_code == 1
    for words in (
        f"Who receives it: {LENDER}, and nobody else.",
        "What for: to decide on credit that you applied for.",
        "Adverse listings about you ARE shared",
        "How often: at most 9 times in any 24 hours",
        "How long it may be kept: 30 days",
        "You may pause or revoke this consent at any time",
    ):
        assert words in shown.stdout
    assert life.do("list")["consents"] == []
    life.do("grant", *terms, *often, "--yes")
    return path


def sees_who_looked_and_what_was_decided(life: Life, consent: Path) -> None:
    view = life.folder / "view.cbundle"
    life.view(consent, "--out", view)
    listed = life.do("accesses", "--receipt", view)
    assert listed["receipts_found"] == 2
    assert [e["sequence"] for e in listed["entries"]] == list(range(1, len(listed["entries"]) + 1))
    assert "release" in [entry["kind"].split()[-1] for entry in listed["entries"]]
    (owed,) = life.do("outcomes")["outcomes"]
    assert (owed["lender"], owed["outcome"], owed["overdue"]) == (LENDER, None, False)


def pauses_resumes_and_revokes(life: Life, consent: Path) -> None:
    (held,) = life.do("list")["consents"]
    for command, state, reason in (
        ("pause", "paused", "CONSENT_PAUSED"),
        ("resume", "active", ""),
        ("revoke", "revoked", "CONSENT_REVOKED"),
    ):
        changed = life.do(command, held["consent_id"])
        assert changed["state"] == state
        assert all(told["acknowledged"] for told in changed["told"])  # the exchange, every provider
        asked = life.view(consent, code=1 if reason else 0)
        assert asked.get("reason", "") == reason


def is_told_contests_and_is_heard(life: Life) -> None:
    """A debt is filed: told first, contested, ruled, spoken to in own words, disputed, appealed."""
    path = life.folder / "debts.csv"
    row = {
        "identity_number": NUMBER,
        "reference": "L-1",
        "basis": "loan",
        "amount": "48000.00",
        "currency": "USD",
        "delinquent_since": "2010-05-01",
        "late": "joined-later",
        "evidence_hash": "07" * 32,
    }
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(row))
        writer.writeheader()
        writer.writerow(row)
    furnisher = life.federation.furnisher(life.federation.provider_ids[0])
    assert furnisher.listings("file", *ATTESTED, "--csv", path)["sent"] == 1
    assert life.do("listings")["listings"][0]["state"] == "draft"
    (notice,) = life.do("inbox")["messages"]
    assert notice["kind"] == "listing notice"
    listing = notice["listing_id"]
    life.do("contest", listing, "--ground", "paid")
    rule(life, REVIEWER, "rejected", "effective", "noticed")
    takes_effect(life)
    life.do("statement", listing, WORDS)
    receipt = life.folder / "receipt.txt"
    receipt.write_text("Paid in May 2010, says the bank.")
    life.do("dispute", listing, "--ground", "amount", "--evidence", receipt)
    rule(life, REVIEWER, "rejected", "effective")
    life.do("appeal", listing, "--ground", "amount")
    rule(life, APPEALS, "upheld", "withdrawn")
    assert life.do("listings", "--against-log")["ok"]


def takes_effect(life: Life) -> None:
    """Wait for the end of the notice period, of seconds in a rehearsal."""
    ends = time.monotonic() + 30
    while life.do("listings")["listings"][0]["state"] != "effective":
        assert time.monotonic() < ends
        time.sleep(0.5)


def rule(life: Life, body: str, outcome: str, *states: str) -> None:
    who = ("--member", life.federation.pki.member(body).folder, *life.bundle)
    (waiting,) = concordat("review", "queue", *who)["reviews"]
    reasons = ("--reasons", "The ledger was checked.", "--yes")
    ruled = concordat("review", "rule", waiting["dispute_id"], outcome, *reasons, *who)
    assert ruled["state"] in states


def freezes_and_warns(life: Life) -> None:
    path = life.folder / "later.consent"
    providers = [item for name in life.federation.provider_ids for item in ("--provider", name)]
    life.do("grant", "--recipient", LENDER, *providers, "--out", path, "--yes")
    assert life.do("freeze")["frozen"]
    assert life.view(path, code=1)["reason"] == "SUBJECT_FROZEN"
    assert not life.do("unfreeze")["frozen"]
    assert life.do("alert")["fraud_alert"]
    life.view(path)
    assert not life.do("unalert")["fraud_alert"]
    life.do("contact", "--email", EMAIL)


def has_the_whole_report(life: Life) -> None:
    page = life.folder / "report.html"
    told = life.do("report", "--out", page)
    report = told["report"]
    assert told["score"]["points"]
    assert [listing["state"] for listing in report["listings"]] == ["withdrawn"]
    kinds = [step["kind"] for step in report["listings"][0]["steps"]]
    assert (kinds.count("Dispute"), kinds.count("Ruling")) == (3, 3)
    assert report["contact_email"] == EMAIL
    reasons = {access["reason"] for access in report["accesses"] if access["reason"]}
    assert {"CONSENT_PAUSED", "CONSENT_REVOKED", "SUBJECT_FROZEN"} <= reasons
    assert {REVIEWER, APPEALS} <= {body["member_id"] for body in report["complain_to"]}
    assert report["limits"]
    assert concordat("wallet", "report-check", page, *life.bundle)["ok"]
    text = CliRunner().invoke(app, ["wallet", "report", "--no-score", "--wallet", str(life.wallet)])
    assert text.exit_code == 0
    assert "Your rights, and where to complain" in text.stdout
    page.write_bytes(page.read_bytes().replace(b"withdrawn", b"in force!"))
    concordat("wallet", "report-check", page, *life.bundle, code=2)


def loses_the_key(life: Life) -> None:
    """The old key is dead within a second although the new wallet calls nobody; the new one reads all."""
    thief = life.folder / "stolen"
    shutil.copytree(life.wallet, thief)
    before = life.do("accesses")
    assert life.do("freeze", wallet=thief)["frozen"]  # it still works: a thief could do this
    life.do("unfreeze", wallet=thief)
    code = life.code()
    assert life.do("rebind", "--identity-number", NUMBER, "--code", code)["version"] == 2
    time.sleep(1)
    refused = life.do("freeze", code=1, wallet=thief)
    assert refused["reason"] == "BINDING_INVALID"
    after = life.do("accesses")
    assert "binding" in [entry["kind"] for entry in after["entries"]]
    assert len(after["entries"]) > len(before["entries"])
    assert life.do("listings")["ok"]
    assert len(life.do("list")["consents"]) == 2


def has_it_erased(life: Life) -> None:
    """What can go goes; the log stays valid; nothing of what went is in any file of the exchange."""
    life.do("inbox")
    for consent in life.do("list")["consents"]:
        if consent["state"] == "active":
            life.do("revoke", consent["consent_id"])
    gone_ids = [consent["consent_id"] for consent in life.do("list")["consents"]]
    shown = life.do("erase", "--preview")
    assert shown["preview"]
    done = life.do("erase", "--yes")
    gone = {item["category"] for item in done["gone"]}
    assert {"consents", "accesses", "contact", "messages"} <= gone
    assert all(
        item["until"] or item["rule"] in {"not read", "flag placed"} for item in done["kept"]
    )
    assert set(life.federation.provider_ids) <= set(done["ask_too"])
    entries = life.do("accesses")["entries"]
    assert any(entry["erased"] for entry in entries)
    assert concordat("log", "audit", *life.bundle)["ok"]
    assert life.do("listings")["ok"]
    home = life.federation.config("exchange").parent
    time.sleep(2)  # pages that were freed are written over by the housekeeping
    for path in home.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            for secret in (EMAIL.encode(), WORDS.encode(), *(bytes.fromhex(i) for i in gone_ids)):
                assert secret not in content, (path.name, secret)
