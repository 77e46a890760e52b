"""A furnisher's or court's operator in a sandbox: its own command line, run for real."""

import json
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clients.sandbox.processes import SandboxError, command

ATTESTED = ("--attest", "accurate,adult,unsecured,not-frozen")
_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Debt:
    """A debt in default, as its creditor knows it.

    ``amount`` is decimal ("750.00") and ``delinquent_since`` an ISO date; ``late`` says why it is filed more
    than 90 days after that. Of ``evidence`` only the hash is filed.
    """

    reference: str
    amount: str
    delinquent_since: str
    currency: str = "USD"
    basis: str = "loan"
    late: str = "joined-later"
    evidence: bytes = b"a loan agreement"

    @property
    def typed(self) -> str:
        """What an operator types of it."""
        return " ".join(map(str, [*self.options(Path("agreement.pdf")), *ATTESTED]))

    def options(self, evidence: Path) -> list[str | Path]:
        """Return the options of ``listings file``; ``evidence`` is a file that holds it."""
        return [
            *("--reference", self.reference, "--basis", self.basis, "--late", self.late),
            *("--amount", self.amount, "--currency", self.currency),
            *("--delinquent-since", self.delinquent_since, "--evidence-file", evidence),
        ]


@dataclass(frozen=True, slots=True)
class Furnisher:
    """Runs ``concordat-provider`` for one member, beside its node if that runs."""

    member_id: str
    config: Path

    def listings(self, *arguments: str | Path) -> dict[str, Any]:
        """Run a ``listings`` command and return its JSON; raise ``SandboxError`` where it fails."""
        whole = ("listings", *arguments, "--config", self.config, "--json")
        done = subprocess.run(
            command("provider.main", *whole),
            capture_output=True,
            text=True,
            check=False,
            timeout=_SECONDS,
        )
        if done.returncode:
            told = " ".join(map(str, whole))
            raise SandboxError(
                f"exit code {done.returncode}: concordat-provider {told}\n{done.stdout}{done.stderr}"
            )
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    def file(self, identity_number: str, debt: Debt) -> dict[str, Any]:
        """File a debt of somebody, by the identity number that the creditor has on its books."""
        with tempfile.TemporaryDirectory() as folder:
            evidence = Path(folder, "evidence")
            evidence.write_bytes(debt.evidence)
            who = ("--identity-number", identity_number)
            return self.listings("file", *ATTESTED, *who, *debt.options(evidence))

    def settle(self, reference: str, paid_on: str, receipt: bytes) -> dict[str, Any]:
        """Say that a debt was paid."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "receipt")
            path.write_bytes(receipt)
            return self.listings("settle", reference, "--paid-on", paid_on, "--receipt-file", path)
