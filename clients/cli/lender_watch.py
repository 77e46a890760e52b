"""`concordat lender watch`: changes about consented subjects, each told once, over restarts."""

import json
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from clients.cli.console import (
    JsonOption,
    PassphraseFile,
    TrustBundle,
    console,
    failing,
    read_passphrase,
    words,
)
from clients.cli.lender_options import LenderFolder
from clients.cli.moments import moment
from clients.sdk.client import LenderClient
from clients.sdk.errors import ClientError, may_pass
from clients.sdk.identity import load_identity
from clients.sdk.monitor import BandChanged, Monitor, Notice, ReviewMissed
from clients.sdk.monitor_state import MonitorState
from clients.sdk.permission_file import SUFFIX, load_permission
from clients.sdk.views import Permission
from concordat import v1
from concordat.clock import Clock
from concordat.federation.anchors import load_anchors
from concordat.rpc.errors import RemoteError
from concordat.trust.envelope import parse_statement
from concordat.v1 import LenderChangeKind, Reason

SLEEP = time.sleep
_LONGEST_BACK_OFF = 60.0
_SAID = {
    LenderChangeKind.LENDER_CHANGE_KIND_LISTING_IN_FORCE: "a listing is in force: ask for a view, or check it",
    LenderChangeKind.LENDER_CHANGE_KIND_CONSENT_ENDED: "the consent has ended",
    LenderChangeKind.LENDER_CHANGE_KIND_CONSENT_PAUSED: "the consent is paused",
    LenderChangeKind.LENDER_CHANGE_KIND_CONSENT_RESUMED: "the consent is resumed: ask anew",
    LenderChangeKind.LENDER_CHANGE_KIND_REVIEW_DUE: "a review is due",
}


def watch(
    trust_bundle: TrustBundle,
    member: LenderFolder,
    state: Annotated[
        Path, typer.Option(help="File that remembers how far you are, and each last band.")
    ],
    consents: Annotated[
        Path | None,
        typer.Option(help="Folder of what subjects handed over (.consent): reviews use them."),
    ] = None,
    once: Annotated[
        bool, typer.Option("--once", help="Tell what there is and end, as for cron.")
    ] = False,
    anew: Annotated[
        bool, typer.Option("--anew", help="Begin anew, after CURSOR_UNKNOWN; bands stay known.")
    ] = False,
    passphrase_file: PassphraseFile = None,
    as_json: JsonOption = False,
) -> None:
    """Watch those who gave you a periodic consent: listings in force, consents that end, bands that change.

    With --consents a view is asked for whenever a consent can be used again: each is logged, counts a use, and
    its band is compared with the last one. Without, you are told that a review is due. With --json each line is
    one JSON object. What was printed is not told again.
    """
    with failing("the watch ended", as_json=as_json):
        anchors = load_anchors(trust_bundle)
        identity = load_identity(member, anchors, read_passphrase(passphrase_file))
        permissions = _permissions(consents) if consents is not None else {}
        with (
            LenderClient(anchors, identity) as client,
            MonitorState(state, identity.member_id) as memory,
        ):
            if anew:
                memory.begin_anew()
            monitor = Monitor(
                client, memory, permissions.get, now=Clock().now, reviews=consents is not None
            )
            _follow(monitor, once=once, as_json=as_json)


def _follow(monitor: Monitor, *, once: bool, as_json: bool) -> None:
    """Tell notices until there are no more, or for ever; the exchange may be away meanwhile."""
    failures = 0
    while True:
        try:
            for notice in monitor.notices(until_quiet=once):
                failures = 0
                _tell(notice, as_json=as_json)
                monitor.acknowledge(notice)
        except RemoteError as error:
            gone = error.reason == Reason.REASON_CURSOR_UNKNOWN
            if once or gone or not may_pass(error):
                raise
        if once:
            return
        failures += 1
        SLEEP(min(2.0 ** min(failures, 10) / 2, _LONGEST_BACK_OFF))


def _permissions(folder: Path) -> dict[bytes, Permission]:
    """Return what subjects handed over, by the consent's id; raise ``ClientError`` where there is nothing."""
    found: dict[bytes, Permission] = {}
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        permission = load_permission(path)
        found[parse_statement(v1.Consent, permission.consent.payload).consent_id] = permission
    if not found:
        raise ClientError(f"{folder} holds no {SUFFIX} file; put there what subjects handed over")
    return found


def _tell(notice: Notice, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(_facts(notice), ensure_ascii=False))
        return
    change = notice.change
    who = f"{change.subject_ref.hex()[:12]}…, consent {change.consent_id.hex()}"
    console().print(f"{moment(change.at)}  {_words(notice)}  ({who})", soft_wrap=True)


def _words(notice: Notice) -> str:
    match notice:
        case BandChanged():
            return f"{notice.before} became {notice.after}: access {notice.access_id.hex()}"
        case ReviewMissed():
            return f"a review was due and told nothing: {notice.reason}"
    return _SAID[notice.change.kind]


def _facts(notice: Notice) -> dict[str, Any]:
    """Return the JSON of a notice; its keys stay as they are."""
    change = notice.change
    kind = words(LenderChangeKind.Name(change.kind), "LENDER_CHANGE_KIND_")
    facts: dict[str, Any] = {
        "ok": True,
        "cursor": change.cursor,
        "kind": "band changed" if isinstance(notice, BandChanged) else kind,
        "subject_ref": change.subject_ref.hex(),
        "consent_id": change.consent_id.hex(),
        "at": moment(change.at),
    }
    if isinstance(notice, BandChanged):
        access_id = notice.access_id.hex()
        facts |= {"before": notice.before, "after": notice.after, "access_id": access_id}
    if isinstance(notice, ReviewMissed):
        facts["missed"] = notice.reason
    return facts
