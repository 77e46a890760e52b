"""The life of listings in real processes, by the commands that people type, with an exchange that dies midway.

Commands of ``concordat`` are run in this process, which saves the seconds that Python takes to start; the
furnisher's are run as programs of their own, beside its node.
"""

import csv
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from typer.testing import CliRunner

from clients.cli.main import app
from clients.sandbox import COURT, EXCHANGE, LENDER, REVIEWER, Person, Sandbox
from clients.sandbox.cast import PROFILES
from clients.sandbox.furnishing import ATTESTED
from concordat import v1

NOTICE_SECONDS, REPAIR_SECONDS = 10, 5
SMALL, LARGE = "L-750", "L-48000"
WORDS = "The lender knew that the shop would open a year late."
EVIDENCE = b"paid, says the bank: see the statement of account"
_OF_ONE_ASK: Final = (
    "answer_id",
    "request_digest",
    "consent_digest",
    "access_id",
    "issued_at",
    "delete_by",
)
pytestmark = pytest.mark.timeout(240)


def profile(folder: Path) -> Path:
    """Write the sandbox's own profile with a notice period that a slow machine can contest within."""
    text = (PROFILES / "sandbox.toml").read_text("utf-8")
    text = text.replace('notice = "4s"', f'notice = "{NOTICE_SECONDS}s"')
    text = text.replace('after = "10s"', f'after = "{REPAIR_SECONDS}s"')
    assert f"{NOTICE_SECONDS}s" in text
    assert f"{REPAIR_SECONDS}s" in text
    (folder / "rehearsal.toml").write_text(text, "utf-8")
    return folder


@pytest.fixture(scope="module")
def federation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    own = profile(tmp_path_factory.mktemp("profiles"))
    settings = {"exchange": {"listings": {"profiles": own}}}
    with Sandbox(
        providers=2, court=True, listing_profile="rehearsal", settings=settings
    ) as sandbox:
        yield sandbox


def concordat(*arguments: object, code: int = 0) -> Any:
    """Run a command as a person would, and return its JSON."""
    done = CliRunner().invoke(app, [*map(str, arguments), "--json"], prog_name="concordat")
    assert done.exit_code == code, f"{arguments}: {done.exit_code}\n{done.output}\n{done.exception}"
    return json.loads(done.stdout)


def eventually(look: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.2)


@dataclass
class Town:
    """Everyone in the story, each at the own command line."""

    federation: Sandbox
    person: Person
    folder: Path

    @property
    def bundle(self) -> tuple[object, ...]:
        return ("--trust-bundle", self.federation.trust_bundle)

    def subject(self, command: str, *arguments: object, code: int = 0) -> Any:
        wallet = self.federation.wallet_of(self.person).folder
        return concordat("wallet", command, *arguments, "--wallet", wallet, code=code)

    def lender(self, command: str, *arguments: object, code: int = 0) -> Any:
        who = ("--member", self.federation.pki.member(LENDER).folder)
        return concordat("listings", command, *arguments, *who, *self.bundle, code=code)

    def reviewer(self, command: str, *arguments: object) -> Any:
        who = ("--member", self.federation.pki.member(REVIEWER).folder)
        return concordat("review", command, *arguments, *who, *self.bundle)

    def furnisher(self, *arguments: str | Path) -> Any:
        return self.federation.furnisher(self.federation.provider_ids[0]).listings(*arguments)

    def listings(self) -> list[Any]:
        """Return the subject's listings, the smaller debt's first; each step is checked on the way."""
        return sorted(self.subject("listings")["listings"], key=lambda one: one["amount_minor"])

    def small(self) -> Any:
        return self.listings()[0]

    def large(self) -> Any:
        return self.listings()[1]

    def file(self, name: str, content: bytes) -> Path:
        path = self.folder / name
        path.write_bytes(content)
        return path

    def consent(self) -> Path:
        """Let the lender look, as often as this story needs."""
        path = self.folder / "listings.consent"
        what = ("--data", "listings", "--data", "flags", "--uses", 50, "--per", "day")
        how = ("--max-uses", 50, "--out", path, "--yes")
        self.subject("grant", "--recipient", LENDER, *what, *how)
        return path

    def answer(self, consent: Path) -> bytes:
        """Return what the lender is told, without what names the one ask that it answers."""
        path = self.folder / "answer.env"
        self.lender("check", "--consent", consent, "--out", path)
        envelope = v1.Envelope.FromString(path.read_bytes())
        answer = v1.ListingAnswer.FromString(envelope.payload)
        for field in _OF_ONE_ASK:
            answer.ClearField(field)
        return answer.SerializeToString(deterministic=True)

    def file_both(self) -> Any:
        """File both debts, as a furnisher files its portfolio."""
        path = self.folder / "debts.csv"
        rows = [
            {
                "identity_number": self.person.identity_number,
                "reference": reference,
                "basis": "loan",
                "amount": amount,
                "currency": "USD",
                "delinquent_since": "2010-05-01",
                "late": "joined-later",
                "evidence_hash": bytes([number] * 32).hex(),
            }
            for number, (reference, amount) in enumerate([(SMALL, "750.00"), (LARGE, "48000.00")])
        ]
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        return self.furnisher("file", *ATTESTED, "--csv", path)


def gap(earlier: str, later: str) -> float:
    """Return the seconds between two times as commands print them."""
    times = [datetime.strptime(text, "%Y-%m-%d %H:%M:%S UTC") for text in (earlier, later)]  # noqa: DTZ007
    return (times[1] - times[0]).total_seconds()


@pytest.mark.slow
def test_listings_live_by_the_rules_through_the_death_of_the_exchange(
    federation: Sandbox, tmp_path: Path
) -> None:
    (person,) = federation.enrol(["SBA-1516785008"])
    town = Town(federation, person, tmp_path)
    consent = town.consent()
    never = town.answer(consent)
    fetched = filed_and_fetched(town)
    assert town.answer(consent) == never
    contested(town)
    assert town.answer(consent) == never
    the_exchange_dies_and_catches_up(town, fetched, consent)
    ruled(town)
    shown_with_words(town, consent)
    recalled = settled_and_repaired(town)
    assert town.answer(consent) == never
    recalled += causes(town)
    assert sorted(recalled) == ["settled", "withdrawn", "withdrawn"]
    logged(town)


def filed_and_fetched(town: Town) -> float:
    """File both, and fetch the notices: nothing runs before. Return when they were fetched."""
    assert town.file_both()["sent"] == 2
    assert [one["state"] for one in town.listings()] == ["draft", "draft"]
    notices = town.subject("inbox")["messages"]
    assert [message["kind"] for message in notices] == ["listing notice"] * 2
    return time.monotonic()


def contested(town: Town) -> None:
    evidence = town.file("evidence.txt", EVIDENCE)
    small = town.small()["listing_id"]
    told = town.subject("contest", small, "--ground", "paid", "--evidence", evidence)
    assert (told["state"], told["reviewer"]) == ("contested", REVIEWER)
    assert [one["state"] for one in town.listings()] == ["contested", "noticed"]


def the_exchange_dies_and_catches_up(town: Town, fetched: float, consent: Path) -> None:
    """What is said while it is away waits, signed, with whoever said it; its timers run on without it."""
    exchange = town.federation.process(EXCHANGE)
    exchange.kill()
    facts = ("--amount", "47000.00", "--evidence-hash", bytes([9] * 32).hex())
    said = town.furnisher("correct", LARGE, *facts, "--wait", "0")
    assert [one["outcome"] for one in said["said"]] == ["queued"]
    assert town.subject("freeze", code=3)["waits"]
    time.sleep(max(0.0, fetched + NOTICE_SECONDS + 0.5 - time.monotonic()))
    exchange.restart()

    small, large = town.listings()
    assert (small["state"], large["state"]) == ("contested", "effective")
    assert (
        gap(large["noticed_at"], large["effective_at"]) >= NOTICE_SECONDS - 1
    )  # told to the second
    assert town.lender("check", "--consent", consent, code=1)["reason"] == "SUBJECT_FROZEN"
    town.subject("unfreeze")
    eventually(lambda: town.large()["version"] == 2)
    assert town.large()["amount_minor"] == 4_700_000


def ruled(town: Town) -> None:
    """The reviewer reads what nobody else can, and rejects the contest with reasons: it takes effect."""
    (waiting,) = town.reviewer("queue")["reviews"]
    saved = town.folder / "opened"
    shown = town.reviewer("show", waiting["dispute_id"], "--save-evidence", saved)
    assert Path(shown["evidence"][0]["saved_as"]).read_bytes() == EVIDENCE
    reasons = ("--reasons", "The statement shows another account.", "--yes")
    assert (
        town.reviewer("rule", waiting["dispute_id"], "rejected", *reasons)["state"] == "effective"
    )
    (told,) = [m for m in town.subject("inbox")["messages"] if m["kind"] == "ruling"]
    assert "another account" in told["text"]


def shown_with_words(town: Town, consent: Path) -> None:
    """A lender with consent sees both, the subject's words with the one that they are about."""
    town.subject("statement", town.small()["listing_id"], WORDS)
    time.sleep(1)  # what has just taken effect is in every process's memory within a second
    listed = town.lender("check", "--consent", consent)["listings"]
    assert {one["band"]: one["words"] for one in listed} == {"small": WORDS, "large": None}


def settled_and_repaired(town: Town) -> list[str]:
    """Whoever was told hears of the payment. A small debt then ends by itself; the other is taken back.

    Return why the lender was told to delete what it held.
    """
    receipt = town.file("receipt.pdf", b"%PDF-1.7 paid")
    paid = datetime.now(UTC).isoformat()
    town.furnisher("settle", SMALL, "--paid-on", paid, "--receipt-file", receipt)
    recalled = causes(town)
    assert recalled[0] == "settled"
    assert town.small()["recipients"][0]["acknowledged_at"]
    town.furnisher("withdraw", LARGE, "--code", "waived")
    eventually(lambda: town.small()["state"] == "repaired")
    assert town.large()["state"] == "withdrawn"
    return recalled


def causes(town: Town) -> list[str]:
    """Have the lender acknowledge what is recalled, and return why each was."""
    recalled = town.lender("retractions", "--acknowledge")["retractions"]
    return [one["cause"] for one in recalled]


def logged(town: Town) -> None:
    """All of it is in the log, in one chain that the subject checks; nothing is left to acknowledge."""
    assert town.lender("retractions")["retractions"] == []
    entries = town.subject("accesses")["entries"]
    assert [entry["sequence"] for entry in entries] == list(range(1, len(entries) + 1))
    report = concordat("log", "audit", *town.bundle)
    assert report["ok"]
    assert report["kinds"]["listing"] >= 12


@pytest.mark.slow
def test_the_court_mirrors_its_register_beside_its_node(
    federation: Sandbox, tmp_path: Path
) -> None:
    (person,) = federation.enrol(["SBA-1001534008"])
    town = Town(federation, person, tmp_path)
    entered, ends = (datetime.now(UTC) + timedelta(days=days) for days in (-9, 900))
    register = town.file(
        "register.csv",
        "identity_number,reference,amount,currency,delinquent_since,source_ends_at\n"
        f"{person.identity_number},C-1,5000,USD,{entered:%F},{ends:%F}\n#end,1\n".encode(),
    )
    mirrored = federation.furnisher(COURT).listings("mirror", register, *ATTESTED)
    assert (mirrored["filed"], mirrored["synced"]) == (1, 1)
    town.subject("inbox")
    (judgment,) = town.listings()
    assert (judgment["kind"], judgment["sources"]) == ("judgment", [COURT])
    assert judgment["state"] == "noticed"
