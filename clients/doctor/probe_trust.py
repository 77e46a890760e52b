"""Dates that end: certificates, their authority, the members' licences, the calibration."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path

from cryptography import x509

from clients.doctor import rules
from clients.doctor.finding import Finding, Status, fail, ok, warn
from concordat import v1
from concordat.federation.anchors import Anchors
from concordat.federation.directory import Member, MemberDirectory
from concordat.refusal import Refusal
from concordat.rpc.tls import TlsIdentity
from concordat.rpc.tls_check import require_certificate

RENEW_CERTIFICATE = (
    "have who holds the TLS authority issue another (concordat pki member); restart what uses it"
)
RENEW_LICENCE = (
    "have the regulators renew it: concordat regulator propose renew, sign and submit it"
)
_RENEW_AUTHORITY = (
    "make another authority and hand out a trust bundle that names both, before this one ends"
)
_RENEW_CALIBRATION = "have a new calibration fitted and signed: see docs/calibration.md"

Known = tuple[Member, v1.Standing.ValueType]


def certificate(
    name: str, identity: TlsIdentity, anchors: Anchors, member_id: str, now: datetime
) -> Finding:
    """Judge a TLS certificate file; raise ``TlsFileError`` where peers will not accept it."""
    found = require_certificate(identity, anchors, member_id, now)
    return rules.expiry(name, found.not_valid_after_utc, now, RENEW_CERTIFICATE)


def certificate_files(
    name: str, files: tuple[Path, Path], anchors: Anchors, member_id: str, now: datetime
) -> list[Finding]:
    """Judge a certificate and its key by their files; raises as ``certificate``."""
    return [certificate(name, TlsIdentity.load(*files), anchors, member_id, now)]


def authorities(anchors: Anchors, now: datetime) -> list[Finding]:
    """Judge the authorities that the trust bundle names."""
    found = x509.load_pem_x509_certificates(anchors.bundle.tls_ca_pem.encode())
    return [
        rules.expiry("TLS authority", each.not_valid_after_utc, now, _RENEW_AUTHORITY)
        for each in found
    ]


def licences(members: Iterable[Known], now: datetime) -> list[Finding]:
    """Judge all licences: one line for those that are well, one for each other."""
    judged = [(member, _licence(member, standing, now)) for member, standing in members]
    bad = [finding for _, finding in judged if finding.status != Status.OK]
    well = [member for member, finding in judged if finding.status == Status.OK]
    if not well:
        return bad or [fail("licences", "no member is known", "submit the members' licences")]
    next_one = min(well, key=lambda member: member.not_after)
    told = f"{len(well)} in force; the next to end is {next_one.member_id}'s, {next_one.not_after:%Y-%m-%d}"
    return [ok("licences", told), *bad]


def _licence(member: Member, standing: v1.Standing.ValueType, now: datetime) -> Finding:
    check = f"licence of {member.member_id}"
    if standing == v1.Standing.STANDING_SUSPENDED:
        return warn(check, "suspended", "ask the regulators; it can take no part until reinstated")
    if standing == v1.Standing.STANDING_REVOKED:
        return ok(check, "revoked, for good")
    ends = min((member.not_after, *_key_ends(member)))
    return rules.expiry(check, ends, now, RENEW_LICENCE)


def _key_ends(member: Member) -> Iterator[datetime]:
    """Yield when the last of the signing keys ends, since without one no statement counts."""
    ends = [key.not_after.ToDatetime(member.not_after.tzinfo) for key in member.licence.keys]
    if ends:
        yield max(ends)


def calibration(directory: MemberDirectory, now: datetime) -> list[Finding]:
    """Judge the calibration in use, by which scores are pooled."""
    try:
        opened = directory.calibration(now)
    except Refusal:
        return [
            fail("calibration", "none is in use: no view can be made", _RENEW_CALIBRATION),
        ]
    found = rules.expiry(
        f"calibration {opened.version}", opened.stale_from, now, _RENEW_CALIBRATION
    )
    # A stale one goes on being used, and views say so.
    return [warn(found.check, found.found, found.advice) if found.status == Status.FAIL else found]
