"""What a case look-up showed, as a table for the one page that shows it."""

from clients.cli import listing_words
from clients.cli.regulator_case_render import facts_of
from clients.console.desk.words import NOTHING, SCOPES, Shown, reason_words, said
from clients.language import marked, tr
from concordat.v1 import CaseScope, ListingState, Reason
from concordat.verify.case import CaseAnswered

_COLUMNS = {
    "listings": ("state", "basis", "sources", "expires_at", "listing_id"),
    "accesses": ("recorded_at", "lender", "purpose", "result", "refusal"),
    "consents": ("recipient", "purpose", "state", "uses", "valid_until", "consent_id"),
}
_WORDS = {"state", "basis", "purpose", "result"}
_HEADS = {
    "state": marked("state"),
    "basis": marked("basis"),
    "sources": marked("sources"),
    "expires_at": marked("expires"),
    "listing_id": marked("listing"),
    "recorded_at": marked("when"),
    "lender": marked("lender"),
    "purpose": marked("purpose"),
    "result": marked("result"),
    "refusal": marked("refused because"),
    "recipient": marked("recipient"),
    "uses": marked("uses"),
    "valid_until": marked("valid until"),
    "consent_id": marked("consent"),
}


def answer_table(answers: list[CaseAnswered], scope: CaseScope.ValueType) -> Shown:
    """Return every page of a scope as one table."""
    name = CaseScope.Name(scope).removeprefix("CASE_SCOPE_").lower()
    columns = _COLUMNS[name]
    rows = [
        [_cell(name, column, row[column]) for column in columns]
        for answer in answers
        for row in facts_of(answer)[name]
    ]
    return Shown(said(SCOPES, scope), [tr(_HEADS[each]) for each in columns], rows)


def _cell(scope: str, column: str, value: object) -> str:
    match value:
        case str():
            return _words(scope, column, value)
        case bytes():
            return value.hex()
        case list():
            return ", ".join(map(str, value))
        case None:
            return NOTHING
    return str(value)


def _words(scope: str, column: str, value: str) -> str:
    """Return a word that programs read as it is said in the language spoken."""
    if column == "refusal":
        return reason_words(Reason.Value(f"REASON_{value}"))
    if (scope, column) == ("listings", "state"):
        name = value.upper().replace(" ", "_")
        return listing_words.state(ListingState.Value(f"LISTING_STATE_{name}"))
    return tr(value) if column in _WORDS else value
