"""What a licence or a status would change, in words: the statement against the one in force."""

import re
from collections.abc import Iterator
from typing import Any

from google.protobuf.json_format import MessageToDict
from rich.table import Column, Table

from clients.cli.console import console, words
from clients.language import marked, tr
from clients.pki.drafts import Draft, Signatures, root_name
from clients.pki.reading import describe
from clients.pki.signing import RootStatement, rank_of
from concordat import v1
from concordat.federation.anchors import Anchors
from concordat.v1 import Standing

_NAMES = {
    "legal_name": marked("registered name"),
    "roles": marked("may act as"),
    "endpoint": marked("address for members"),
    "public_endpoint": marked("address for people"),
    "purposes": marked("may ask for"),
    "profile": marked("time limits of"),
    "own_profile": marked("time limits of its own"),
    "not_before": marked("in force from"),
    "not_after": marked("in force until"),
    "version": marked("version of the licence"),
    "furnishes": marked("debts that it may file"),
    "sealing_key": marked("key that evidence is sealed to"),
    "tls_identity": marked("name in its certificates"),
    "standing": marked("standing"),
    "sequence": marked("number of the status"),
    "decided_at": marked("decided at"),
    "legal_basis": marked("legal basis"),
}
_PARTS = {
    "public_key": marked("key"),
    "not_before": marked("counts from"),
    "not_after": marked("counts until"),
}
_LISTS = {"keys": marked("signing key"), "approvers": marked("approver of cases")}
_IDS = {"licence_id", "status_id", "federation", "member_id"}  # told in the title, or of no concern
_PREFIX = re.compile(r"\b(ROLE|PURPOSE|PROFILE|STANDING|LISTING_BASIS|SCORE_DIRECTION)_([A-Z_]+)")
_ACTS = {
    Standing.STANDING_SUSPENDED: marked("This suspends {member}"),
    Standing.STANDING_REVOKED: marked("This REVOKES, for ever, {member}"),
    Standing.STANDING_ACTIVE: marked("This reinstates {member}"),
}
_RENEWS = marked("This changes or renews the licence of {member}")
_LICENSES = marked("This licenses {member}")
_LISTED = re.compile(r"^(\w+)\[(\d+)\]\.(\w+)$")


def changes_of(
    statement: RootStatement, before: RootStatement | None
) -> Iterator[tuple[str, str, str]]:
    """Yield (what, as in force, as proposed) of everything that would change; all of it, where nothing is."""
    old, new = (_told(each) if each is not None else {} for each in (before, statement))
    for name in dict.fromkeys([*new, *old]):
        if old.get(name) != new.get(name):
            yield _named(name), old.get(name, ""), new.get(name, "")


def title_of(draft: Draft) -> str:
    """Return what a draft does, in a sentence."""
    statement, before = draft.statement, draft.now.before(draft.statement) if draft.now else None
    if isinstance(statement, v1.LicenceStatus):
        who = f"{statement.member_id}{_who(draft)}"
        return tr(_ACTS[statement.standing], member=who)
    act = _RENEWS if before is not None else _LICENSES
    who = f"{statement.member_id}, {statement.legal_name}"
    return tr(act, member=who)


def print_draft(draft: Draft, found: Signatures, anchors: Anchors) -> None:
    """Print what a draft changes against what is in force, and whose signatures it bears."""
    before = draft.now.before(draft.statement) if draft.now else None
    out = console()
    table = Table(
        "what",
        Column("in force", overflow="fold"),
        Column("proposed", overflow="fold"),
        title=title_of(draft),
        title_justify="left",
    )
    for row in changes_of(draft.statement, before):
        table.add_row(*row)
    out.print(table)
    if draft.now is None:
        out.print(
            "What is in force is not at hand: keep the .before file beside the draft to compare them.",
            style="yellow",
        )
    elif draft.now.standing == Standing.STANDING_SUSPENDED:
        out.print("The member is suspended now.", style="yellow")
    out.print(signed_words(found, anchors))
    for fault in found.faults:
        out.print(f"Does not count: {fault}", style="red")


def signed_words(found: Signatures, anchors: Anchors) -> str:
    """Return who signed, and who has not, in words."""
    signed = ", ".join(root_name(number, anchors) for number in found.signed) or "nobody yet"
    missing = ", ".join(root_name(number, anchors) for number in found.missing)
    told = f"{len(found.signed)} of {found.needed} signatures. Signed by: {signed}."
    return told if found.complete else f"{told} Not by: {missing}."


def draft_facts(draft: Draft, found: Signatures) -> dict[str, Any]:
    """Return the JSON of a draft; its keys stay as they are."""
    before = draft.now.before(draft.statement) if draft.now else None
    return {
        "file": str(draft.path),
        "kind": draft.statement.DESCRIPTOR.name,
        "member_id": draft.statement.member_id,
        "number": rank_of(draft.statement),
        "signed": list(found.signed),
        "missing": list(found.missing),
        "needed": found.needed,
        "complete": found.complete,
        "faults": list(found.faults),
        "compared": draft.now is not None,
        "changes": [
            {"what": what, "in_force": old or None, "proposed": new or None}
            for what, old, new in changes_of(draft.statement, before)
        ],
        "statement": MessageToDict(draft.statement, preserving_proto_field_name=True),
    }


def _who(draft: Draft) -> str:
    licence = draft.now.licence if draft.now else None
    return f", {licence.legal_name}" if licence is not None else ""


def _told(statement: RootStatement) -> dict[str, str]:
    return {name: _plain(text) for name, text in describe(statement) if name not in _IDS}


def _named(name: str) -> str:
    listed = _LISTED.match(name)
    if listed and listed[1] in _LISTS:
        return (
            f"{tr(_LISTS[listed[1]])} {int(listed[2]) + 1}: {tr(_PARTS.get(listed[3], listed[3]))}"
        )
    return tr(_NAMES.get(name, name.replace("_", " ").replace(".", ": ")))


def _plain(text: str) -> str:
    return _PREFIX.sub(lambda found: words(found[2], ""), text)
