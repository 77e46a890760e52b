"""`concordat wallet notices`: which regulators looked at you in a case; and whether the exchange withheld that."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from clients.cli.console import (
    Exit,
    JsonOption,
    console,
    echo_json,
    explain,
    fail,
    failing,
    words,
)
from clients.cli.moments import moment
from clients.cli.wallet_accesses import tell_broken
from clients.cli.wallet_desk import WalletDesk, wallet_desk
from clients.cli.wallet_options import DEFAULT_WALLET, Folder, PassphraseFile
from clients.sdk.accesses import AccessList
from clients.sdk.cases_custody import (
    Collected,
    CollectedNotice,
    collect_notices,
    custodians_of,
    withheld,
)
from clients.sdk.cases_notices import keep_withheld, read_notices
from clients.sdk.errors import ClientError
from clients.sdk.own_accesses import list_and_keep
from clients.sdk.wallet_file import WalletFolder
from concordat import v1
from concordat.rpc.errors import RemoteError, name_of
from concordat.verify.history import HistoryBrokenError


@dataclass
class ToldNotices:
    """What the exchange and the custodians told, of regulators' look-ups."""

    read: Collected = field(default_factory=Collected)
    listed: AccessList | None = None  # None where the exchange does not answer
    away: RemoteError | None = None
    collected: Collected = field(default_factory=Collected)
    withheld: list[CollectedNotice] = field(default_factory=list)
    evidence: Path | None = None  # where what was withheld is kept

    @property
    def notices(self) -> list[CollectedNotice]:
        """Every notice, once."""
        known = {each.record_id for each in self.read.notices}
        others = [each for each in self.collected.notices if each.record_id not in known]
        return [*self.read.notices, *others]

    @property
    def faults(self) -> list[str]:
        """What did not hold."""
        return [*self.read.faults, *self.collected.faults]


def notices(
    collect: Annotated[
        bool,
        typer.Option(
            "--collect",
            help="Ask the witnesses too, which hold every notice: any two of them open it without the exchange.",
        ),
    ] = False,
    wallet: Folder = DEFAULT_WALLET,
    passphrase_file: PassphraseFile = None,
    as_json: JsonOption = False,
) -> None:
    """Show which regulators looked at your records in a case, or tried to; each proved to be in the public log.

    Reads your inbox, so notices of listings in it count as served. With --collect a notice that the exchange
    withheld is found out; the evidence is then kept in the wallet's folder.
    """
    with (
        failing("the notices were not read", as_json=as_json),
        wallet_desk(wallet, passphrase_file) as desk,
    ):
        held = desk.store.held
        try:
            told = ask_for_notices(desk, held, collect=collect)
        except HistoryBrokenError as error:
            tell_broken(held, error, as_json=as_json)
    _report(told, as_json=as_json)


def ask_for_notices(desk: WalletDesk, held: WalletFolder, *, collect: bool) -> ToldNotices:
    """Ask the exchange, and the custodians too; without these an exchange that is away is a failure.

    It reads the inbox. Evidence of what was withheld is kept. Raises ``RemoteError``, ``AnswerNotVerified``,
    ``HistoryBrokenError``, and ``ClientError`` where there is nobody to collect from.
    """
    told, client, anchors = ToldNotices(), desk.client, held.anchors
    key = held.key()
    try:
        messages = client.read_inbox(desk.store)
        told.listed = list_and_keep(client, held)
        exchange = client.book.directory.require(anchors.bundle.exchange_id, desk.now)
        told.read = read_notices(messages, exchange, anchors, key.subject_ref)
    except RemoteError as error:
        if not collect:
            raise
        told.away = error
    if not collect:
        return told
    if not custodians_of(anchors):
        raise ClientError("the trust bundle names no witness to collect from")
    told.collected = collect_notices(key, anchors, desk.now)
    if told.listed is not None:
        told.withheld = withheld(told.collected.notices, told.listed.entries, desk.now)
        if told.withheld:
            told.evidence = keep_withheld(held.folder, told.withheld, told.listed)
    return told


def _report(told: ToldNotices, *, as_json: bool) -> None:
    """Print what was found; exit with 1 where something was withheld or is false, with 3 where nobody answers."""
    facts = {
        "notices": [_facts(each, told) for each in told.notices],
        "withheld": len(told.withheld),
        "problems": told.faults,
        "evidence": told.evidence and str(told.evidence),
    }
    if not as_json:
        _print(told)
    if told.withheld:
        what = f"the exchange withheld {len(told.withheld)} notices that were due"
        advice = f"the signed evidence is in {told.evidence}: show it to the supervisor"
        fail(what, Exit.REFUSED, "NOTICE_WITHHELD", advice, as_json=as_json, **facts)
    if told.read.faults:
        advice = "; ".join(told.read.faults)
        fail(
            "a notice does not hold",
            Exit.REFUSED,
            "NOTICE_BROKEN",
            advice,
            as_json=as_json,
            **facts,
        )
    if told.away is not None:
        code, reason, advice = explain(told.away)
        fail("the exchange was not asked", code, reason, advice, as_json=as_json, **facts)
    if as_json:
        echo_json(ok=True, **facts)


def _print(told: ToldNotices) -> None:
    if not told.notices:
        console().print("No regulator's case look-up has been opened to you.")
    else:
        console().print(_table(told))
        console().print(
            f"{len(told.notices)} in all; each entry proved to be in the log, where it stood sealed."
        )
    for fault in told.faults:
        console().print(f"Not usable: {fault}", style="yellow")


def _table(told: ToldNotices) -> Table:
    table = Table("looked", "who", "looked at", "legal article", "case", "due", "from", "log entry")
    table.columns[7].justify = "right"
    for each in told.notices:
        facts = _facts(each, told)
        looked = facts["looked_at"] + (f"\nrefused: {facts['refusal']}" if facts["refusal"] else "")
        table.add_row(
            looked,
            facts["regulator"],
            ", ".join(facts["scopes"]),
            facts["legal_article"],
            facts["case_reference"],
            facts["notice_at"],
            facts["from"],
            str(facts["log_index"]),
        )
    return table


def _facts(each: CollectedNotice, told: ToldNotices) -> dict[str, Any]:
    """Return the JSON of a notice; its keys stay as they are."""
    said = each.notice
    return {
        "looked_at": moment(said.looked_at),
        "regulator": said.regulator,
        "scopes": [words(v1.CaseScope.Name(scope), "CASE_SCOPE_") for scope in said.scopes],
        "legal_article": said.legal_article,
        "case_reference": said.case_reference,
        "notice_at": moment(said.notice_at),
        "refusal": name_of(said.refusal) if said.refusal else None,
        "record_id": each.record_id,
        "log_index": each.logged.index,
        "from": f"{len(each.custodians)} custodians" if each.custodians else "the exchange",
        "withheld": each in told.withheld,
    }
