"""Both pages over a federation with something to show: views, a listing, a dispute, a case; until Ctrl-C.

    python -m clients.sandbox.console [--folder FOLDER]

Statistics are told of days that are over, so a federation that has just begun shows none of them yet. `make
console` gives it a past that is made up, and says so (`tools/console.py`).
"""

import argparse
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console

from clients.sandbox import cast
from clients.sandbox.demo_cases import SCOPE, proposed
from clients.sandbox.federation import Sandbox
from clients.sandbox.furnishing import Debt
from clients.sandbox.people import Person
from clients.sandbox.processes import SandboxError, stop_on_sigterm
from clients.sdk.cases import approve_case
from concordat import v1
from concordat.v1 import DisputeGround, DisputeStage

BORROWER, OTHERS = "SBA-1001534008", ["SBA-1011794009", "SBA-1516785008"]
PROVIDERS, WITNESSES = 3, 3
_DEBT = Debt(reference="CARD-2291", amount="750.00", delinquent_since="2012-03-01")
_OFTEN = v1.Frequency(uses=20, period=v1.Period.PERIOD_DAY)
_EMBARGO = timedelta(seconds=5)  # of the notice; a real one is days
_STOP_SECONDS = 10.0
NO_PAST = ("Statistics are told from tomorrow on, of the day that is over then.", "")


class ServedPage:
    """A command that serves a page, in a process of its own; ``link`` opens it once."""

    def __init__(self, arguments: Sequence[str | Path]) -> None:
        """Start it; raise ``SandboxError`` where it says of no link."""
        command = [sys.executable, "-m", "clients.cli.main", *map(str, arguments), "--json"]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.link = self._link()
        if not self.link:
            self.close()
            raise SandboxError(f"the page did not start: concordat {' '.join(map(str, arguments))}")

    def _link(self) -> str:
        """Return the link of the JSON object that the command prints once it serves; empty where it ends."""
        if self._process.stdout is None:
            return ""
        lines = []
        for line in self._process.stdout:
            lines.append(line)
            if line.rstrip() == "}":
                return str(json.loads("".join(lines)).get("link", ""))
        return ""

    def close(self) -> None:
        """Stop it."""
        self._process.terminate()
        self._process.wait(_STOP_SECONDS)
        if self._process.stdout is not None:
            self._process.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def fill(sandbox: Sandbox) -> Path:
    """Let things happen: consents, views, a debt filed and contested, a case; return the borrower's folder."""
    borrower, *others = sandbox.enrol([BORROWER, *OTHERS])
    lender = sandbox.lender()
    for person in (borrower, *others):
        permission = person.consent(sandbox.provider_ids, frequency=_OFTEN, max_uses=20)
        for _ in range(2):
            lender.request_view(permission)
    wallet = sandbox.wallet_of(borrower)
    sandbox.furnisher(sandbox.provider_ids[1]).file(BORROWER, _DEBT)
    wallet.inbox()
    (own,) = wallet.listings().listings
    stage, ground = DisputeStage.DISPUTE_STAGE_CONTEST, DisputeGround.DISPUTE_GROUND_PAID
    wallet.dispute(own.listing.listing_id, stage, ground, [b"Paid on 2 March 2012"])
    _look_up(sandbox, borrower)
    return wallet.folder


def _look_up(sandbox: Sandbox, person: Person) -> None:
    case = proposed(sandbox, person, _EMBARGO)
    for approver in sandbox.approvers()[:2]:
        approve_case(case, approver)
    sandbox.supervisor().look_up(case, SCOPE)


def pages(sandbox: Sandbox, wallet: Path) -> tuple[ServedPage, ServedPage]:
    """Start the desk and the wallet's page; the links are good for two minutes."""
    member = sandbox.pki.member(cast.REGULATOR).folder
    state = sandbox.folder / "regulator-desk"
    bundle = ("--trust-bundle", sandbox.trust_bundle)
    desk = ServedPage(["regulator", "desk", "--member", member, "--state", state, *bundle])
    try:
        return desk, ServedPage(["wallet", "page", "--wallet", wallet])
    except SandboxError:
        desk.close()
        raise


def explain(
    console: Console, sandbox: Sandbox, desk: ServedPage, wallet: ServedPage, past: Sequence[str]
) -> None:
    """Print the links, which keys sign in to the desk, and ``past``: what is to be said of that."""
    files = sandbox.pki.member(cast.REGULATOR)
    for line in (
        "Open each link within two minutes, in a browser on this machine; each works once:",
        f"  the borrower's wallet:  {wallet.link}",
        f"  the regulator's desk:   {desk.link}",
        "",
        "To sign in to the desk, save its challenge and type:",
        f"  concordat regulator sign-in challenge.txt --key {files.folder / 'signing.key'}",
        f"or, as an officer who approves cases, --key {files.approver_key(1)}",
        "",
        *past,
        "Ctrl-C stops everything.",
    ):
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def main(prepared: Callable[[Sandbox], None] | None = None, past: Sequence[str] = NO_PAST) -> None:
    """Start all of it, and wait for Ctrl-C; ``prepared`` as a sandbox's; ``past`` is said of the statistics."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, help="Keep keys, databases and logs here.")
    folder = parser.parse_args().folder
    console = Console()
    stop_on_sigterm()
    try:
        with console.status("") as status, ExitStack() as held:
            sandbox = Sandbox(
                providers=PROVIDERS,
                witnesses=WITNESSES,
                scores=True,
                folder=folder,
                say=status.update,
                prepared=prepared,
            )
            held.enter_context(sandbox)
            status.update("letting things happen")
            wallet = fill(sandbox)
            desk, own = pages(sandbox, wallet)
            held.enter_context(desk)
            held.enter_context(own)
            status.stop()
            explain(console, sandbox, desk, own, past)
            threading.Event().wait()
    except KeyboardInterrupt:
        console.print("stopped")


if __name__ == "__main__":
    main()
