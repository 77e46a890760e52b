"""The whole examination: what can be looked at with what was given, in two rounds."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path

from clients.auditor.policy import LogTrust
from clients.doctor import (
    probe_backup,
    probe_clock,
    probe_endpoints,
    probe_log,
    probe_store,
    probe_trust,
)
from clients.doctor.concurrently import Check, Told, run
from clients.doctor.finding import Finding, fail
from clients.doctor.settings import DeploymentSettings
from clients.doctor.settings import read as read_settings
from clients.sdk.client import MemberClient
from clients.sdk.identity import member_named_in
from concordat.federation.anchors import Anchors
from concordat.rpc.tls import TlsIdentity
from concordat.settings import SettingsError

_ASK = "see that the exchange runs, and that the trust bundle's addresses are its own"
_DATABASE = "see that the database runs, and that this user may read it"


@dataclass(frozen=True, slots=True)
class Given:
    """What the doctor was given: a member's folder, settings files, a backup, witnesses' prefixes."""

    anchors: Anchors
    member: Path | None = None
    configs: tuple[Path, ...] = ()
    backup: Path | None = None
    witnesses: tuple[str, ...] = ()
    seconds: float = 10.0  # for each of the two rounds
    now: Callable[[], datetime] = field(kw_only=True)

    @property
    def unseen(self) -> list[str]:
        """What is not looked at, and what to give for it."""
        missing = [
            (not self.configs, "databases, disks and certificates of processes: give --config"),
            (self.backup is None, "age of backups: give --backup"),
            (self.member is None, "whether members' ports serve a member: give --member"),
            (not self.anchors.bundle.log_url, "the log and the clock: the bundle has no log_url"),
        ]
        return [what for absent, what in missing if absent]


@dataclass(slots=True)
class _Members:
    """What the first round learns of the members, for the second."""

    known: list[probe_trust.Known] = field(default_factory=list)


def examine(given: Given, told: Told = lambda _done, _of: None) -> list[Finding]:
    """Look over all that can be looked at; never raises for what is wrong, which is a finding."""
    members, settings, unread = _Members(), [], []
    for path in given.configs:
        try:
            settings.append((str(path), read_settings(path)))
        except SettingsError as error:
            unread.append(fail(f"settings {path}", str(error), "correct the file"))
    first = [
        *_of_the_federation(given, members),
        *_of_the_log(given, [each for _, each in settings]),
        *_of_processes(given, settings),
    ]
    findings = unread + run(first, given.seconds, told)
    return findings + run(list(_of_endpoints(given, members)), given.seconds, told)


def _of_the_federation(given: Given, members: _Members) -> Iterator[Check]:
    now = given.now()
    authorities = partial(probe_trust.authorities, given.anchors, now)
    yield Check("TLS authority", authorities, "get the trust bundle anew")
    if given.member is not None:
        advice = f"give a folder that concordat pki member made; {probe_trust.RENEW_CERTIFICATE}"
        yield Check("own certificate", partial(_own, given, given.member), advice)
    yield Check("licences", partial(_licences, given, members), _ASK)
    if given.backup is not None:
        backup = partial(probe_backup.probe, given.backup, given.anchors.federation, now)
        yield Check("backup", backup, "name a backup file, or the folder that they are in")


def _own(given: Given, folder: Path) -> list[Finding]:
    """Judge the own certificate; the signing key, which may need a passphrase, is left alone."""
    tls = TlsIdentity.load(folder / "tls.crt", folder / "tls.key")
    who = member_named_in(tls, given.anchors, folder / "tls.crt")
    name = f"certificate of {who}"
    return [probe_trust.certificate(name, tls, given.anchors, who, given.now())]


def _licences(given: Given, members: _Members) -> list[Finding]:
    with MemberClient(given.anchors) as client:
        members.known = client.members()
        directory = client.book.directory
    now = given.now()
    calibration = (
        probe_trust.calibration(directory, now) if any(m.scale for m, _ in members.known) else []
    )
    return probe_trust.licences(members.known, now) + calibration


def _of_the_log(given: Given, settings: Iterable[DeploymentSettings]) -> Iterator[Check]:
    url, trust = given.anchors.bundle.log_url, LogTrust.of(given.anchors)
    if not url:
        return
    yield Check("clock", partial(probe_clock.probe, url, given.now), _ASK)
    wrong = "run concordat log audit, and tell the regulators if it finds the log wrong"
    yield Check("log", partial(probe_log.probe, url, trust, given.now()), wrong)
    yield Check("log's own health", partial(probe_log.health, url), _ASK)
    named = [each.url for one in settings if one.log for each in one.log.witnesses]
    published = given.anchors.bundle.witness_urls
    for witness in dict.fromkeys([*given.witnesses, *published, *named]):
        yield Check(
            f"witness {witness}", partial(probe_log.witness, witness, url, trust), "start it"
        )


def _of_processes(
    given: Given, settings: Iterable[tuple[str, DeploymentSettings]]
) -> Iterator[Check]:
    for name, each in settings:
        who = each.member_id or each.party
        database = partial(probe_store.database, f"database of {who}", each)
        yield Check(f"database of {who}", database, _DATABASE)
        yield Check(f"disk of {who}", partial(probe_store.disks, who, each), f"see {name}")
        if each.tls_certificate and each.tls_key:
            files = (each.tls_certificate, each.tls_key)
            check = f"certificate of {who}"
            probe = partial(
                probe_trust.certificate_files,
                check,
                files,
                given.anchors,
                each.member_id,
                given.now(),
            )
            yield Check(check, probe, probe_trust.RENEW_CERTIFICATE)


def _of_endpoints(given: Given, members: _Members) -> Iterator[Check]:
    for endpoint in probe_endpoints.endpoints(given.anchors, members.known):
        probe = partial(probe_endpoints.probe, endpoint, given.anchors, given.member, given.now())
        yield Check(endpoint.check, probe, probe_endpoints.REACH)
