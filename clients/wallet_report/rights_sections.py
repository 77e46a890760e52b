"""What the subject has set, what was erased, which time limits apply, its rights, and where to complain."""

from clients.cli.console import said
from clients.cli.moments import moment
from clients.language import marked, plural, tr
from clients.wallet_report.section import Section
from concordat import v1

RIGHTS = (
    marked("See all of it, free of charge, as often as you need: concordat wallet report."),
    marked("See who looked, with the proof that nobody is left out: concordat wallet accesses."),
    marked(
        "Pause, resume or revoke any consent, without a reason and at once: concordat wallet pause, resume, "
        "revoke."
    ),
    marked(
        "Contest a listing before its effect, dispute it after, appeal: concordat wallet contest, dispute, "
        "appeal."
    ),
    marked("Have your own words shown with a listing: concordat wallet statement."),
    marked(
        "Freeze everything, or warn of fraud, and lift that again: concordat wallet freeze, alert."
    ),
    marked("Know what a lender decided, and that a person reviewed it: concordat wallet outcomes."),
    marked("Have erased what no law keeps: concordat wallet erase."),
    marked(
        "Bind a new key when the old one is lost; the old one is dead at once: concordat wallet rebind."
    ),
    marked("Disputes, freezes, refusals and your own looks never lower a score."),
)
_BODIES = (marked("who"), marked("name"), marked("what for"))
_ERASURES = (
    *(marked("when"), marked("records that went"), marked("kept by a law for then")),
    marked("log entry"),
)
_LIMITS = (
    *(marked("profile"), marked("notice before effect"), marked("ruling within")),
    *(marked("prolonged by at most"), marked("appeal within"), marked("appeal decided within")),
    *(marked("a debt is shown for"), marked("a judgment for")),
)
_WHAT_FOR = {
    v1.Role.ROLE_REVIEWER: marked("decides disputes"),
    v1.Role.ROLE_APPEAL: marked("decides appeals"),
    v1.Role.ROLE_REGULATOR: marked("supervises all of them: complain here"),
}


def switches_section(report: v1.SubjectReport) -> Section:
    """Return freeze, alert and contact."""
    flags, address = report.flags, report.contact_email
    frozen = marked("Frozen: nothing is released to anyone.")
    alert = marked("Fraud alert: lenders are warned.")
    notices = marked("Notices go to {address}, and into your inbox.")
    lines = (
        tr(frozen if flags.frozen else marked("No freeze.")),
        tr(alert if flags.fraud_alert else marked("No fraud alert.")),
        tr(notices, address=address) if address else tr("Notices go into your inbox alone."),
        tr(
            "The key that speaks for you is the one of binding {version}.",
            version=report.binding_version,
        ),
    )
    return Section(tr("What you have set"), lines)


def erasures_section(report: v1.SubjectReport) -> Section:
    """Return the erasures that were asked for."""
    rows = tuple(
        (moment(each.at), str(each.erased), str(each.kept), str(each.log_index))
        for each in report.erasures
    )
    lines = () if rows else (tr("You have not asked for any."),)
    return Section.of(tr("Erasures"), lines, _ERASURES, rows)


def limits_section(report: v1.SubjectReport) -> Section:
    """Return the time limits that apply."""
    rows = tuple(_limits(each) for each in report.limits)
    return Section.of(tr("The time limits that apply to you"), (), _LIMITS, rows)


def _limits(limits: v1.ReportedLimits) -> tuple[str, ...]:
    return (
        limits.profile.upper(),
        _length(limits.notice),
        _length(limits.dispute),
        _length(limits.extension) if limits.HasField("extension") else tr("never"),
        _length(limits.appeal_within),
        _length(limits.appeal),
        _length(limits.debt_life),
        _length(limits.judgment_life),
    )


def _length(length: v1.TermLength) -> str:
    years, months = divmod(length.months, 12)
    parts = (
        (years, plural("{number} year", "{number} years", years)),
        (months, plural("{number} month", "{number} months", months)),
        (length.days, plural("{number} day", "{number} days", length.days)),
        (length.seconds, plural("{number} second", "{number} seconds", length.seconds)),
    )
    return " ".join(text for number, text in parts if number) or tr("none")


def rights_section(report: v1.SubjectReport) -> Section:
    """Return the rights, and who hears complaints."""
    rows = tuple(
        (
            body.member_id,
            body.legal_name,
            tr(_WHAT_FOR.get(body.role, "")) or said(v1.Role.Name(body.role), "ROLE_"),
        )
        for body in report.complain_to
    )
    rights = tuple(tr(right) for right in RIGHTS)
    return Section.of(tr("Your rights, and where to complain"), rights, _BODIES, rows)
