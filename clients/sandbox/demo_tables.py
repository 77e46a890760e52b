"""The demo's tables, from plain values."""

from collections.abc import Mapping, Sequence

from rich.table import Table

from clients.sandbox import cast
from clients.sandbox.demo_refusals import Tried
from clients.sandbox.federation import Sandbox
from clients.sandbox.people import Person
from clients.sdk import LenderView
from concordat import v1
from concordat.rpc.errors import name_of
from concordat.v1 import ProviderOutcomeKind

_PPM_IN_A_PERCENT = 10_000


def members(sandbox: Sandbox) -> Table:
    """Return who is licensed as what; two of three root keys signed each licence."""
    bundle = sandbox.anchors.bundle
    table = Table(
        "member",
        "what",
        "its own scale",
        title=f"{bundle.root_threshold} of {len(bundle.root_keys)} root keys signed each licence",
        title_justify="left",
    )
    for provider in sandbox.providers:
        table.add_row(provider.member_id, provider.kind, provider.scale)
    table.add_section()
    for member_id, what in cast.OTHERS.items():
        table.add_row(member_id, what, "")
    return table


def processes(sandbox: Sandbox) -> Table:
    """Return what runs where."""
    table = Table("process", "pid", "members (mTLS)", "subjects (TLS)", "scores loaded")
    table.columns[4].justify = "right"
    for member_id, process in sandbox.processes.items():
        ports, rows = sandbox.ports[member_id], sandbox.rows_loaded.get(member_id)
        loaded = f"{rows:,}" if rows is not None else ""
        if member_id in sandbox.witness_ids:
            table.add_row(member_id, str(process.pid), "", f"{ports.member_address} (HTTP)", "")
            continue
        table.add_row(
            member_id, str(process.pid), ports.member_address, ports.public_address, loaded
        )
    return table


def people(enrolled: Sequence[Person], outcomes: Mapping[str, str]) -> Table:
    """Return who enrolled, and the reference that stands for each."""
    table = Table("identity number", "known to the federation as", "the loan, years later")
    for person in enrolled:
        number = person.identity_number
        table.add_row(number, f"{person.subject_ref.hex()[:16]}…", outcomes[number])
    return table


def views(asked: Sequence[LenderView], borrowers: Sequence[tuple[str, str]]) -> Table:
    """Return a line a view."""
    table = Table("borrower", "points", "band", "default", "90 % interval", "scored by", "outcome")
    for view, (number, outcome) in zip(asked, borrowers, strict=True):
        score = view.score().full
        kinds = [provider.kind for provider in view.view.providers]
        scored = kinds.count(ProviderOutcomeKind.PROVIDER_OUTCOME_KIND_SCORED)
        table.add_row(
            number,
            str(score.points),
            v1.Band.Name(score.band).removeprefix("BAND_"),
            f"{score.default_ppm / _PPM_IN_A_PERCENT:.1f} %",
            f"{score.points_low} to {score.points_high}",
            f"{scored} of {len(kinds)}",
            outcome,
        )
    return table


def refusals(tried: Sequence[Tried]) -> Table:
    """Return what was tried and refused."""
    table = Table("tried", "reason", "message")
    for each in tried:
        table.add_row(each.attempt, f"[red]{name_of(each.refusal.reason)}[/]", each.refusal.message)
        table.add_section()
    return table
