"""What went wrong, as a page that says what to do: refusals of the page itself, and the SDK's typed errors."""

from dataclasses import dataclass

from clients.cli.console import FAILURES, Exit, explain
from clients.console.base.formats import length
from clients.language import marked, tr
from concordat.rpc.errors import RemoteError

_STATUS = {
    Exit.REFUSED: 409,
    Exit.USAGE: 422,
    Exit.UNREACHABLE: 503,
    Exit.PARTIAL: 409,
}
_TITLES = {
    Exit.REFUSED: marked("That was refused"),
    Exit.USAGE: marked("That cannot be done so"),
    Exit.UNREACHABLE: marked("Nobody answers"),
    Exit.PARTIAL: marked("A part is missing"),
}
_INTERNAL = marked(
    "Something failed here, and nothing was released. Try again; the window in which this page was started "
    "tells more."
)


class PageRefused(Exception):  # noqa: N818 - read as a finding
    """A request that the page does not answer: its HTTP status, and a marked title and advice."""

    def __init__(self, status: int, title: str, advice: str, *, wait: int = 0) -> None:
        """Refuse with ``status``; ``wait`` are the seconds until asking again makes sense."""
        super().__init__(title)
        self.status = status
        self.title = title
        self.advice = advice
        self.wait = wait


@dataclass(frozen=True, slots=True)
class Failure:
    """What a person is told of a failure, in the language spoken."""

    status: int
    title: str
    advice: str
    reason: str = ""  # its code, for whoever is asked for help
    wait: int = 0
    english: bool = False  # whether the advice is in English, whatever the language spoken


def failure_of(error: Exception) -> Failure:
    """Return what to tell of an error; of one that nobody foresaw, nothing but that it happened."""
    if isinstance(error, PageRefused):
        return Failure(error.status, tr(error.title), tr(error.advice), wait=error.wait)
    if not isinstance(error, FAILURES):
        return Failure(500, tr(marked("That failed")), tr(_INTERNAL), "INTERNAL")
    code, reason, advice = explain(error)
    if isinstance(error, RemoteError) and error.reason and error.retry_after:
        later = tr("Try again in {time}.", time=length(error.retry_after))
        return Failure(_STATUS[code], tr(_TITLES[code]), f"{tr(error.message)} {later}", reason)
    if isinstance(error, RemoteError) and not error.reason and code == Exit.UNREACHABLE:
        advice = marked(
            "The other side cannot be reached now. Nothing was lost; try again in a while."
        )
    said = tr(advice)
    return Failure(_STATUS[code], tr(_TITLES[code]), said, reason, english=said == advice)


def not_open() -> PageRefused:
    """Return that there is no session, or none any more."""
    return PageRefused(
        401,
        marked("This page is closed"),
        marked(
            "It is opened by a link that works once, and closes when it is not used for 15 minutes. End it where "
            "it runs (Ctrl-C), start it again, and open the new link."
        ),
    )


def foreign() -> PageRefused:
    """Return that a request does not come from a page of ours."""
    return PageRefused(
        403,
        marked("That did not come from this page"),
        marked(
            "Another page asked for it in your name; nothing was done. Open this page yourself."
        ),
    )


def no_such_page() -> PageRefused:
    """Return that there is nothing under an address."""
    return PageRefused(
        404, marked("There is no such page"), marked("Choose one from the menu above.")
    )


def too_often(seconds: int) -> PageRefused:
    """Return that somebody asks too often."""
    advice = marked("Wait a minute, then go on. Nothing was done.")
    return PageRefused(429, marked("Too many requests"), advice, wait=seconds)


def stale_form() -> PageRefused:
    """Return that a form's token is not the session's."""
    return PageRefused(
        403,
        marked("That form is out of date"),
        marked(
            "It was made before this page was opened anew; nothing was done. Go back and fill it in again."
        ),
    )


def too_large() -> PageRefused:
    """Return that a form is larger than its page takes."""
    advice = marked("Nothing was sent. Choose smaller files: up to 256 KiB each, four in all.")
    return PageRefused(413, marked("That is too large"), advice)


def unreadable() -> PageRefused:
    """Return that a body is no form."""
    advice = marked("Nothing was done. Go back and fill it in again.")
    return PageRefused(400, marked("That form cannot be read"), advice)
