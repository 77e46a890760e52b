"""What the journal's lines say to whoever reads them here, in the language spoken; its file keeps its own words.

A word that is not known here, such as one of a newer desk's, is shown as the file has it.
"""

import re
from collections.abc import Callable, Mapping

from clients.console.base.formats import number
from clients.language import marked, tr

_ACTS: Mapping[str, str] = {
    "sign-in": marked("sign-in"),
    "sign-out": marked("sign-out"),
    "signed-out": marked("signed out by the desk"),
    "link": marked("a link for a colleague"),
    "handshake": marked("a certificate on a connection"),
    "members-ask": marked("asked members whether they serve"),
    "log-verify": marked("verified the log"),
    "propose-renew": marked("proposed a renewal"),
    "propose-suspend": marked("proposed a suspension"),
    "propose-reinstate": marked("proposed the end of a suspension"),
    "propose-revoke": marked("proposed a revocation"),
    "draft-taken-in": marked("took in a draft"),
    "draft-handed-out": marked("handed out a draft"),
    "draft-put-away": marked("put a draft away"),
    "submit": marked("submitted what roots signed"),
    "case-propose": marked("proposed a case"),
    "case-handed-out": marked("handed out a case to be signed"),
    "case-approve": marked("approved a case"),
    "case-look-up": marked("looked up in a case"),
    "order": marked("gave an order"),
}
_ROLES: Mapping[str, str] = {
    "desk": marked("the desk's own key"),
    "nobody": marked("nobody signed in"),
}
_OUTCOMES: Mapping[str, str] = {
    "done": marked("done"),
    "begun": marked("begun"),
    "holds": marked("it holds"),
    "refused": marked("refused"),
}
_LEADS: Mapping[str, Callable[[str], str]] = {  # what an outcome begins with, and how it goes on
    "refused: ": lambda why: tr("refused: {why}", why=tr(why)),
    "failed: ": lambda why: tr("failed: {why}", why=why),
    "answered, entry ": lambda entry: tr("answered, entry {entry} of the log", entry=entry),
}
_SERVING = re.compile(r"(\d+) of (\d+) serve", re.ASCII)
_ENTRIES = re.compile(r"(\d+) entries", re.ASCII)


def act_words(act: str) -> str:
    """Return what was done."""
    return tr(_ACTS.get(act, act))


def role_words(role: str) -> str:
    """Return in which role it was done."""
    lead, _, place = role.partition("approver-")
    if not lead and place:
        return tr("approver {number}", number=place)
    return tr(_ROLES.get(role, role))


def how_words(how: str) -> str:
    """Return how whoever did it had signed in; empty for nobody."""
    lead, _, serial = how.partition("certificate ")
    if not lead and serial:
        return tr("certificate {serial}", serial=serial)
    return tr("a challenge signed with the key") if how == "challenge" else how


def about_words(about: str) -> str:
    """Return what it was about: ids and names, as they are."""
    found = _ENTRIES.fullmatch(about)
    return tr("{entries} entries", entries=number(int(found[1]))) if found else about


def outcome_words(outcome: str) -> str:
    """Return what came of it. Why something was refused is said as the desk said it then, where it has no word."""
    if found := _SERVING.fullmatch(outcome):
        return tr("{serving} of {asked} serve", serving=found[1], asked=found[2])
    for lead, said in _LEADS.items():
        if outcome.startswith(lead):
            return said(outcome.removeprefix(lead))
    return tr(_OUTCOMES.get(outcome, outcome))
