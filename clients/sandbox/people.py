"""People of a sandbox: enrolled at its registrar, with keys of their own, granting and revoking."""

import csv
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from clients.sandbox import cast
from clients.sandbox.layout import Layout
from clients.sandbox.processes import command, run_all
from clients.sdk import (
    ConsentTerms,
    EventReport,
    Permission,
    WalletClient,
    WalletKey,
    make_consent,
    sign_event,
)
from concordat import v1
from concordat.statements import seal
from concordat.trust.keys import Ed25519Signer


@dataclass(frozen=True, slots=True)
class Person:
    """Someone with a bound key. ``client`` speaks for it."""

    identity_number: str
    key: WalletKey
    client: WalletClient

    @property
    def subject_ref(self) -> bytes:
        """The reference that the federation knows the person by."""
        return self.key.subject_ref

    def sign(self, terms: ConsentTerms) -> Permission:
        """Return a signed consent that is on record nowhere."""
        federation = self.client.anchors.federation
        consent = make_consent(terms, federation, self.subject_ref, datetime.now(UTC))
        return Permission(seal(consent, self.key.signer), self.key.binding)

    def consent(
        self, providers: Sequence[str], recipient: str = cast.LENDER, **terms: Any
    ) -> Permission:
        """Grant a consent (see ``ConsentTerms``) and return it; raise ``RemoteError``."""
        permission = self.sign(ConsentTerms(recipient=recipient, providers=providers, **terms))
        self.client.grant(self.key, permission.consent)
        return permission

    def revoke(self, permission: Permission) -> EventReport:
        """Revoke a consent that nothing has happened to yet; tell exchange and providers."""
        return self.change(permission, v1.ConsentEventKind.CONSENT_EVENT_KIND_REVOKE)

    def change(
        self,
        permission: Permission,
        kind: v1.ConsentEventKind.ValueType,
        sequence: int = 1,
    ) -> EventReport:
        """Pause, resume or revoke a consent; tell exchange and providers."""
        event = sign_event(self.key, permission.consent, kind, sequence, datetime.now(UTC))
        return self.client.tell(self.key, event, permission.consent)


def enrol(layout: Layout, client: WalletClient, identity_numbers: Sequence[str]) -> list[Person]:
    """Have the registrar's operator issue codes, and each person bind a fresh key with its own."""
    people = []
    for number, code in _issue_codes(layout, identity_numbers).items():
        signer = Ed25519Signer.generate()
        people.append(Person(number, WalletKey(signer, client.bind(signer, number, code)), client))
    return people


def _issue_codes(layout: Layout, identity_numbers: Sequence[str]) -> dict[str, str]:
    home = layout.member(cast.REGISTRAR)
    with tempfile.TemporaryDirectory(dir=home) as folder:
        numbers, codes = Path(folder, "numbers.txt"), Path(folder, "codes.csv")
        numbers.write_text("\n".join(identity_numbers) + "\n", "utf-8")
        arguments: list[str | Path] = [
            "--config",
            layout.config(cast.REGISTRAR),
            "--from",
            numbers,
            "--out",
            codes,
        ]
        run_all([(command("registrar.main", "issue-code", *arguments), home / "issue.log")])
        with codes.open(encoding="utf-8", newline="") as file:
            return {row["identity_number"]: row["enrolment_code"] for row in csv.DictReader(file)}
