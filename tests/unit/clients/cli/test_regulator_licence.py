"""`concordat regulator propose`, `sign`, `show`, `submit` and `members`: k of n roots, each offline."""

from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from concordat import v1
from concordat.statements import cosign
from tests.builders import LENDER, REGULATOR, signer
from tests.unit.clients.cli.conftest import Desk

BASIS = ("--legal-basis", "Order 631 art. 41")


class Roots:
    """Three regulators, each with a root key, two of whom must sign; and whoever else is about."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def key(self, name: str) -> Path:
        path = self.desk.folder / f"{name}.key"
        if not path.exists():
            signer(name).save(path, None)
        return path

    def propose(self, *what: object) -> Path:
        facts = self.desk.json(
            "regulator", "propose", *what, *self.desk.trust, "--out", self.desk.folder
        )
        return Path(facts["file"])

    def sign(self, file: Path, name: str, code: int = 0) -> Any:
        key = self.key(name)
        return self.desk.json(
            *("regulator", "sign", file, "--root-key", key, "--yes"), *self.desk.trust, code=code
        )

    def submit(self, file: Path, code: int = 0) -> Any:
        """Submit, and have the exchange's directory take what came in."""
        folder = self.desk.folder / REGULATOR
        if not folder.exists():
            self.desk.member(REGULATOR)
        facts = self.desk.json(
            "regulator", "submit", file, "--member", folder, *self.desk.trust, code=code
        )
        seen, federation = self.desk.fake.seen, self.desk.fake.federation
        federation.directory.take(
            [request.licence for request in seen.get("SubmitLicence", [])],
            [request.status for request in seen.get("SubmitLicenceStatus", [])],
            federation.at,
        )
        return facts


@pytest.fixture
def roots(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Roots:
    monkeypatch.setenv("COLUMNS", "200")
    return Roots(desk)


def public_key(desk: Desk, name: str) -> Path:
    path = desk.folder / f"{name}.pub"
    key = Ed25519PublicKey.from_public_bytes(signer(name).public_key)
    path.write_bytes(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return path


# From a draft to what is in force ---------------------------------------------------------------


def test_a_licence_is_renewed_by_two_roots_and_takes_over_without_re_issuing_others(
    desk: Desk, roots: Roots
) -> None:
    directory = desk.fake.federation.directory
    before = {member.member_id: member for member in directory.members()}
    draft = roots.propose("renew", LENDER, "--days", "1000")
    assert draft.name == f"{LENDER}-licence-2.draft.env"
    shown = desk.run("regulator", "show", draft, *desk.trust).stdout
    assert "in force until" in shown
    assert "may act as" not in shown  # only what changes
    assert roots.sign(draft, "root-2")["signed"] == [3]
    signed = roots.sign(draft, "root-0")
    assert (signed["complete"], signed["signed"]) == (True, [1, 3])
    assert roots.submit(Path(signed["file"]))["ok"]
    after = {member.member_id: member for member in directory.members()}
    assert after.pop(LENDER).licence.version == before.pop(LENDER).licence.version + 1
    assert {m: each.licence_digest for m, each in after.items()} == {
        m: each.licence_digest for m, each in before.items()
    }


def test_a_renewal_changes_the_end_and_the_version_and_nothing_else(
    desk: Desk, roots: Roots
) -> None:
    old = desk.fake.federation.member(LENDER).licence
    draft = roots.propose("renew", LENDER, "--days", "1000")
    new = v1.Licence.FromString(v1.Envelope.FromString(draft.read_bytes()).payload)
    assert new.not_after.ToDatetime() > old.not_after.ToDatetime()
    assert new.keys[0].not_after == new.not_after
    for licence in (old_copy := v1.Licence.FromString(old.SerializeToString()), new):
        licence.version, licence.licence_id = 1, b""
        licence.ClearField("not_after")
        licence.keys[0].ClearField("not_after")
    assert new == old_copy


def test_a_new_member_is_licensed_from_its_public_key_alone(desk: Desk, roots: Roots) -> None:
    key = public_key(desk, "new-bank")
    terms = ("--role", "furnisher", "--legal-name", "New Bank plc", "--key", key)
    draft = roots.propose("licence", "new-bank", *terms)
    roots.sign(draft, "root-0")
    roots.submit(Path(roots.sign(draft, "root-1")["file"]))
    assert desk.fake.federation.member("new-bank").licence.legal_name == "New Bank plc"


def test_a_member_is_suspended_reinstated_and_revoked_for_ever(desk: Desk, roots: Roots) -> None:
    for act, standing in (("suspend", 2), ("reinstate", 1), ("revoke", 3)):
        draft = roots.propose(act, LENDER, *BASIS)
        roots.sign(draft, "root-0")
        roots.submit(Path(roots.sign(draft, "root-1")["file"]))
        assert desk.fake.federation.directory.standing(LENDER) == standing
    out = ("--out", desk.folder, *desk.trust)
    for again in (("renew", LENDER), ("reinstate", LENDER, *BASIS)):
        refused = desk.json("regulator", "propose", *again, *out, code=2)
        assert "never undone" in refused["advice"]


def test_what_would_change_nothing_is_not_proposed(desk: Desk, roots: Roots) -> None:
    out = ("--out", desk.folder, *desk.trust)
    refused = desk.json("regulator", "propose", "reinstate", LENDER, *BASIS, *out, code=2)
    assert refused["advice"] == f"{LENDER} is active already"
    unknown = desk.json("regulator", "propose", "suspend", "nobody", *BASIS, *out, code=2)
    assert "no such member" in unknown["advice"]


# Signatures -------------------------------------------------------------------------------------


def test_too_few_signatures_are_not_submitted_and_it_is_said_whose_are_missing(
    desk: Desk, roots: Roots
) -> None:
    draft = roots.propose("suspend", LENDER, *BASIS)
    refused = roots.submit(draft, code=2)
    assert "0 of 2 signatures; 2 more are missing" in refused["advice"]
    roots.sign(draft, "root-1")
    refused = roots.submit(draft, code=2)
    assert "1 of 2 signatures; 1 more is missing, of: root 1 (" in refused["advice"]
    assert "root 2 (" not in refused["advice"]


def test_a_signature_of_no_root_is_refused(roots: Roots) -> None:
    draft = roots.propose("suspend", LENDER, *BASIS)
    assert "no root" in roots.sign(draft, "mallory", code=2)["advice"]


def test_a_root_that_signs_twice_counts_once(desk: Desk, roots: Roots) -> None:
    draft = roots.propose("suspend", LENDER, *BASIS)
    roots.sign(draft, "root-0")
    assert "has signed" in roots.sign(draft, "root-0", code=2)["advice"]
    forged = v1.Envelope.FromString(draft.read_bytes())
    forged.signatures.append(forged.signatures[0])
    draft.write_bytes(forged.SerializeToString())
    assert "root 1 signed twice" in roots.submit(draft, code=2)["advice"]


@pytest.mark.parametrize("foreign", ["mallory", "root-1"])
def test_a_foreign_or_a_stolen_signature_in_the_file_counts_for_nothing(
    desk: Desk, roots: Roots, foreign: str
) -> None:
    draft = roots.propose("suspend", LENDER, *BASIS)
    roots.sign(draft, "root-0")
    forged = v1.Envelope.FromString(draft.read_bytes())
    if foreign == "mallory":
        cosign(forged, signer("mallory"))
    else:  # of another statement
        other = roots.propose("revoke", "alder-bank", *BASIS)
        roots.sign(other, foreign)
        forged.signatures.append(v1.Envelope.FromString(other.read_bytes()).signatures[0])
    draft.write_bytes(forged.SerializeToString())
    facts = desk.json("regulator", "show", draft, *desk.trust)
    assert (facts["signed"], len(facts["faults"])) == ([1], 1)
    assert "Propose it anew" in roots.submit(draft, code=2)["advice"]
    assert "Propose it anew" in roots.sign(draft, "root-2", code=2)["advice"]


def test_a_root_that_says_no_signs_nothing_and_sees_what_it_declines(
    desk: Desk, roots: Roots
) -> None:
    draft = roots.propose("revoke", LENDER, *BASIS)
    before = draft.read_bytes()
    command = ("regulator", "sign", draft, "--root-key", roots.key("root-0"), *desk.trust)
    said = desk.run(*command, stdin="n\n")
    assert said.exit_code == 1
    assert "REVOKES, for ever" in said.stdout
    assert draft.read_bytes() == before
    assert desk.run(*command, stdin="y\n").exit_code == 0
    assert desk.json(*command, code=2)["reason"] == "LOCAL"  # --json asks nothing


def test_a_draft_that_what_is_in_force_has_overtaken_is_not_signed(
    desk: Desk, roots: Roots
) -> None:
    old = roots.propose("suspend", LENDER, *BASIS)
    new = roots.propose("renew", LENDER, "--days", "1000")
    beside = new.with_name(new.name.replace(".draft.env", ".before"))
    federation = desk.fake.federation
    status = federation.status(LENDER, v1.Standing.STANDING_SUSPENDED)
    held = v1.ListMembersResponse.FromString(beside.read_bytes())
    held.statuses.append(status)
    old.with_name(old.name.replace(".draft.env", ".before")).write_bytes(held.SerializeToString())
    assert "does not follow" in roots.sign(old, "root-0", code=2)["advice"]
    held.licences[0].payload += b"\x00"
    beside.write_bytes(held.SerializeToString())
    assert "not what the roots signed" in roots.sign(new, "root-0", code=2)["advice"]


# Members ----------------------------------------------------------------------------------------


def test_members_whose_licence_ends_soonest_come_first(desk: Desk, roots: Roots) -> None:
    federation = desk.fake.federation
    draft = roots.propose("renew", LENDER, "--days", "3000")
    roots.sign(draft, "root-0")
    roots.submit(Path(roots.sign(draft, "root-1")["file"]))
    status = federation.status("alder-bank", v1.Standing.STANDING_SUSPENDED)
    federation.directory.add_status(status, federation.at)
    rows = desk.json("regulator", "members", *desk.trust)["members"]
    assert rows[-1]["member_id"] == LENDER
    assert rows[-1]["days_left"] == 2999
    assert [row["not_after"] for row in rows] == sorted(row["not_after"] for row in rows)
    bank = next(row for row in rows if row["member_id"] == "alder-bank")
    assert bank["last_status"]["standing"] == "suspended"
    assert "suspended" in desk.run("regulator", "members", *desk.trust).stdout
