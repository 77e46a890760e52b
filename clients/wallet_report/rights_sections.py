"""What the subject has set, what was erased, which time limits apply, its rights, and where to complain."""

from clients.cli.console import words
from clients.cli.moments import moment
from clients.wallet_report.section import Section
from concordat import v1

RIGHTS = (
    "See all of it, free of charge, as often as you need: concordat wallet report.",
    "See who looked, with the proof that nobody is left out: concordat wallet accesses.",
    "Pause, resume or revoke any consent, without a reason and at once: concordat wallet pause, resume, revoke.",
    "Contest a listing before its effect, dispute it after, appeal: concordat wallet contest, dispute, appeal.",
    "Have your own words shown with a listing: concordat wallet statement.",
    "Freeze everything, or warn of fraud, and lift that again: concordat wallet freeze, alert.",
    "Know what a lender decided, and that a person reviewed it: concordat wallet outcomes.",
    "Have erased what no law keeps: concordat wallet erase.",
    "Bind a new key when the old one is lost; the old one is dead at once: concordat wallet rebind.",
    "Disputes, freezes, refusals and your own looks never lower a score.",
)
_BODIES = ("who", "name", "what for")
_LIMITS = (
    "profile",
    "notice before effect",
    "ruling within",
    "prolonged by at most",
    "appeal within",
    "appeal decided within",
    "a debt is shown for",
    "a judgment for",
)
_WHAT_FOR = {
    v1.Role.ROLE_REVIEWER: "decides disputes",
    v1.Role.ROLE_APPEAL: "decides appeals",
    v1.Role.ROLE_REGULATOR: "supervises all of them: complain here",
}


def switches_section(report: v1.SubjectReport) -> Section:
    """Return freeze, alert and contact."""
    flags = report.flags
    lines = (
        "Frozen: nothing is released to anyone." if flags.frozen else "No freeze.",
        "Fraud alert: lenders are warned." if flags.fraud_alert else "No fraud alert.",
        f"Notices go to {report.contact_email}, and into your inbox."
        if report.contact_email
        else "Notices go into your inbox alone.",
        f"The key that speaks for you is the one of binding {report.binding_version}.",
    )
    return Section("What you have set", lines)


def erasures_section(report: v1.SubjectReport) -> Section:
    """Return the erasures that were asked for."""
    rows = tuple(
        (moment(each.at), str(each.erased), str(each.kept), str(each.log_index))
        for each in report.erasures
    )
    lines = () if rows else ("You have not asked for any.",)
    columns = ("when", "records that went", "kept by a law for then", "log entry")
    return Section("Erasures", lines, columns if rows else (), rows)


def limits_section(report: v1.SubjectReport) -> Section:
    """Return the time limits that apply."""
    rows = tuple(_limits(each) for each in report.limits)
    return Section("The time limits that apply to you", (), _LIMITS, rows)


def _limits(limits: v1.ReportedLimits) -> tuple[str, ...]:
    return (
        limits.profile.upper(),
        _length(limits.notice),
        _length(limits.dispute),
        _length(limits.extension) if limits.HasField("extension") else "never",
        _length(limits.appeal_within),
        _length(limits.appeal),
        _length(limits.debt_life),
        _length(limits.judgment_life),
    )


def _length(length: v1.TermLength) -> str:
    years, months = divmod(length.months, 12)
    parts = ((years, "years"), (months, "months"), (length.days, "days"), (length.seconds, "s"))
    return " ".join(f"{number} {unit}" for number, unit in parts if number) or "none"


def rights_section(report: v1.SubjectReport) -> Section:
    """Return the rights, and who hears complaints."""
    rows = tuple(
        (
            body.member_id,
            body.legal_name,
            _WHAT_FOR.get(body.role, words(v1.Role.Name(body.role), "ROLE_")),
        )
        for body in report.complain_to
    )
    return Section("Your rights, and where to complain", RIGHTS, _BODIES, rows)
