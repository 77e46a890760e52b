"""What a case look-up showed, for people and as JSON."""

from typing import Any

from rich.table import Table

from clients.cli import listing_words
from clients.cli.console import console, words
from clients.cli.moments import moment
from concordat import v1
from concordat.rpc.errors import name_of
from concordat.verify.case import CaseAnswered


def facts_of(answered: CaseAnswered) -> dict[str, Any]:
    """Return the JSON of one page; its keys stay as they are."""
    answer, page = answered.answer, answered.page
    return {
        "scope": words(v1.CaseScope.Name(answer.scope), "CASE_SCOPE_"),
        "read_at": moment(answer.issued_at),
        "log_index": answered.entry_index,
        "listings": [_listing(each) for each in page.listings],
        "accesses": [_access(each) for each in page.accesses],
        "consents": [_consent(each) for each in page.consents],
    }


def print_page(answered: CaseAnswered) -> None:
    """Print one page as a table, and where its entry stands in the log."""
    facts = facts_of(answered)
    rows = facts[facts["scope"]]
    table = Table(*_COLUMNS[facts["scope"]], title=f"{facts['scope']}, read {facts['read_at']}")
    for row in rows:
        table.add_row(*(_cell(row[_KEYS.get(name, name)]) for name in _COLUMNS[facts["scope"]]))
    console().print(table if rows else f"{facts['scope']}: none.")
    console().print(f"Sealed entry {facts['log_index']} of the log.")


_COLUMNS: dict[str, tuple[str, ...]] = {
    "listings": ("listing", "state", "basis", "sources", "expires", "steps"),
    "accesses": ("when", "lender", "purpose", "result", "refused because"),
    "consents": ("consent", "recipient", "purpose", "state", "uses", "valid until"),
}
_KEYS = {
    "listing": "listing_id",
    "expires": "expires_at",
    "when": "recorded_at",
    "refused because": "refusal",
    "consent": "consent_id",
    "valid until": "valid_until",
}


def _cell(value: object) -> str:
    match value:
        case bytes():
            return value.hex()
        case list():
            return ", ".join(map(str, value))
        case None:
            return ""
    return str(value)


def _listing(own: v1.OwnListing) -> dict[str, Any]:
    return {
        "listing_id": own.listing_id,
        "state": listing_words.state_name(own.state),
        "kind": words(v1.ListingKind.Name(own.kind), "LISTING_KIND_"),
        "basis": words(v1.ListingBasis.Name(own.basis), "LISTING_BASIS_"),
        "sources": list(own.sources),
        "noticed_at": moment(own.noticed_at) if own.HasField("noticed_at") else None,
        "effective_at": moment(own.effective_at) if own.HasField("effective_at") else None,
        "expires_at": moment(own.expires_at),
        "dispute_id": own.dispute_id or None,
        "ruling_id": own.ruling_id or None,
        "steps": len(own.steps),
    }


def _access(access: v1.CaseAccess) -> dict[str, Any]:
    return {
        "access_id": access.access_id,
        "lender": access.lender,
        "purpose": words(v1.Purpose.Name(access.purpose), "PURPOSE_"),
        "recorded_at": moment(access.recorded_at),
        "consent_id": access.consent_id or None,
        "result": words(v1.ReleaseResult.Name(access.result), "RELEASE_RESULT_")
        if access.result
        else None,
        "released_at": moment(access.released_at) if access.HasField("released_at") else None,
        "refusal": name_of(access.refusal) if access.refusal else None,
    }


def _consent(record: v1.ConsentRecord) -> dict[str, Any]:
    terms = v1.Consent.FromString(record.consent.payload)
    return {
        "consent_id": terms.consent_id,
        "recipient": terms.recipient,
        "purpose": words(v1.Purpose.Name(terms.purpose), "PURPOSE_"),
        "state": words(v1.ConsentState.Name(record.state), "CONSENT_STATE_"),
        "uses": record.uses,
        "valid_from": moment(terms.valid_from),
        "valid_until": moment(terms.valid_until),
        "events": len(record.events),
    }
