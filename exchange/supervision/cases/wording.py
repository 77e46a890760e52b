"""The words in which a subject is told of a case look-up."""

from datetime import datetime

from concordat import v1
from concordat.clock import from_timestamp
from concordat.rpc.errors import CATALOG
from concordat.v1 import CaseScope

_SCOPES = {
    CaseScope.CASE_SCOPE_LISTINGS: "your listings, with their history, disputes and rulings",
    CaseScope.CASE_SCOPE_ACCESSES: "who asked for your data, when and for what",
    CaseScope.CASE_SCOPE_CONSENTS: "your consents, and what became of them",
}


def text_of(notice: v1.CaseNotice) -> str:
    """Return the message, in English."""
    what = [_SCOPES[scope] for scope in notice.scopes if scope in _SCOPES]
    lines = [
        _first(notice),
        "",
        f"Legal article: {notice.legal_article or 'none that could be read'}",
        f"Case reference: {notice.case_reference or 'none that could be read'}",
        *(f"{'Sought' if notice.refusal else 'Looked at'}: {each}" for each in what),
        f"You were to be told by {_moment(from_timestamp(notice.notice_at))}.",
        "",
        f"It is entry {notice.receipt.index} of the public log, which was sealed until now.",
        "The signed notice that opens it came with this message; `concordat wallet notices` checks it.",
        "It is no input of any score. You may ask the regulator for the reasons, and complain to its supervisor.",
    ]
    return "\n".join(lines)


def _first(notice: v1.CaseNotice) -> str:
    when = _moment(from_timestamp(notice.looked_at))
    if not notice.refusal:
        return f"{notice.regulator}, a regulator, looked at your records in a case on {when}."
    return (
        f"{notice.regulator}, a regulator, tried to look at your records on {when} and was refused: "
        f"{CATALOG[notice.refusal].message}"
    )


def _moment(at: datetime) -> str:
    return f"{at:%d %B %Y, %H:%M} UTC".lstrip("0")
