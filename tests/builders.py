"""A whole federation in memory, for tests: keys, licences, and every statement a test may bend.

    federation = Federation()
    person = federation.subject("ada")
    consent = federation.consent(person)
    request = federation.view_request(consent)
    ask = federation.score_request(consent, request)

Every statement is lawful at ``federation.at`` unless a keyword says otherwise: keywords are the
proto's field names and replace what would stand there. Keys are derived from names, so that a name
is the same key in every run. ``Pki`` makes TLS certificates for tests that open real ports.
"""

import hashlib
import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from concordat import v1
from concordat.clock import to_timestamp
from concordat.federation.anchors import Anchors
from concordat.federation.calibrations import OpenedCalibration
from concordat.federation.directory import Member, MemberDirectory
from concordat.ids import new_id
from concordat.pooling import declare
from concordat.pooling.declared import METHOD, POINTS
from concordat.statements import cosign, digest_of, seal
from concordat.trust.keys import Ed25519Signer
from tests.receipt_builders import intent_record, receipt_of

AT = datetime(2026, 6, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
NAME = "test.concordat"

EXCHANGE, REGISTRAR, REGULATOR, LENDER = "exchange", "registrar", "regulator", "lendwell"
PROVIDERS = ("alder-bank", "birch-payments", "cedar-guarantee")
REASONS = ("BK01", "BK02")  # that a statement of a score gives


def signer(name: str) -> Ed25519Signer:
    """Return the key that belongs to ``name``, the same in every run."""
    return Ed25519Signer(
        Ed25519PrivateKey.from_private_bytes(hashlib.sha256(name.encode()).digest())
    )


def scale(minimum: int = 300, maximum: int = 850) -> v1.ScoreScale:
    """Return a lawful scale where higher is safer, with reason codes BK01 to BK09."""
    return v1.ScoreScale(
        minimum=minimum,
        maximum=maximum,
        direction=v1.ScoreDirection.SCORE_DIRECTION_HIGHER_IS_SAFER,
        anchors=[
            v1.ScoreAnchor(score=minimum, default_ppm=500_000),
            v1.ScoreAnchor(score=(minimum + maximum) // 2, default_ppm=50_000),
            v1.ScoreAnchor(score=maximum, default_ppm=2_000),
        ],
        reasons=[v1.ScoreReason(code=f"BK0{n}", text=f"Reason {n}") for n in range(1, 10)],
    )


@dataclass(frozen=True)
class Subject:
    """A person with a wallet."""

    ref: bytes
    signer: Ed25519Signer
    binding: v1.Envelope


@dataclass
class Federation:
    """A federation: three roots (two must sign), an exchange, a registrar, a lender, providers."""

    at: datetime = AT
    name: str = NAME
    tls_ca_pem: str = "no certificates in memory"
    endpoints: dict[str, Any] = field(default_factory=dict)  # fields of the trust bundle
    providers: tuple[str, ...] = PROVIDERS
    calibrated: bool = True  # whether a calibration over the providers is in use from the start

    def __post_init__(self) -> None:
        self.roots = [signer(f"root-{n}") for n in range(3)]
        self.registrar_signer = signer(REGISTRAR)
        self.bundle = v1.TrustBundle(
            federation=self.name,
            root_keys=[root.public_key for root in self.roots],
            root_threshold=2,
            log_key=signer("log").public_key,
            log_origin=f"{self.name}/log",
            registrar_key=self.registrar_signer.public_key,
            tls_ca_pem=self.tls_ca_pem,
            exchange_id=EXCHANGE,
            registrar_id=REGISTRAR,
            **self.endpoints,
        )
        self.anchors = Anchors.of(self.bundle)
        self.directory = MemberDirectory(self.anchors)
        role = v1.Role
        self.enrol(EXCHANGE, role.ROLE_EXCHANGE)
        self.enrol(REGISTRAR, role.ROLE_REGISTRAR)
        self.enrol(REGULATOR, role.ROLE_REGULATOR)
        self.enrol(LENDER, role.ROLE_LENDER)
        for provider in self.providers:
            self.enrol(provider, role.ROLE_PROVIDER)
        if self.calibrated and self.providers:
            self.calibrate()

    # Members ------------------------------------------------------------------------------------

    def licence(
        self, member_id: str, *roles: v1.Role.ValueType, roots: int = 2, **fields: Any
    ) -> v1.Envelope:
        """Return a licence signed by ``roots`` of the three roots."""
        start, end = to_timestamp(self.at - 30 * DAY), to_timestamp(self.at + 300 * DAY)
        key = v1.SigningKey(
            public_key=signer(member_id).public_key, not_before=start, not_after=end
        )
        given: dict[str, Any] = {
            "licence_id": new_id(),
            "federation": self.name,
            "member_id": member_id,
            "legal_name": member_id.title(),
            "roles": roles,
            "keys": [key],
            "tls_identity": self.anchors.tls_identity(member_id),
            "profile": v1.Profile.PROFILE_EU,
            "not_before": start,
            "not_after": end,
            "version": 1,
        }
        if v1.Role.ROLE_PROVIDER in roles:
            given["score_scale"] = scale()
        if v1.Role.ROLE_LENDER in roles:
            given["purposes"] = [*v1.Purpose.values()[1:]]
        return self._rooted(v1.Licence(**(given | fields)), roots)

    def enrol(self, member_id: str, *roles: v1.Role.ValueType, **fields: Any) -> Member:
        """License a member and put it in the directory."""
        self.directory.add_licence(self.licence(member_id, *roles, **fields), self.at)
        member = self.member(member_id)
        known = self.directory.calibrations()  # none yet while the federation begins
        if v1.Role.ROLE_PROVIDER in roles and known and not self._reads(known[-1], member):
            self.calibrate(version=known[-1].version + 1)
        return member

    def _reads(self, opened: OpenedCalibration, member: Member) -> bool:
        return opened.compiled.reads(member.member_id, member.licence.score_scale)

    def member(self, member_id: str) -> Member:
        """Return a member of the directory."""
        return next(m for m in self.directory.members() if m.member_id == member_id)

    def status(
        self, member_id: str, standing: v1.Standing.ValueType, sequence: int = 1, roots: int = 2
    ) -> v1.Envelope:
        """Return a licence status; ``directory.add_status`` puts it in force."""
        status = v1.LicenceStatus(
            status_id=new_id(),
            federation=self.name,
            member_id=member_id,
            standing=standing,
            sequence=sequence,
            decided_at=to_timestamp(self.at),
            legal_basis="test",
        )
        return self._rooted(status, roots)

    def suspend(self, member_id: str, sequence: int = 1) -> None:
        """Suspend a member in the directory."""
        status = self.status(member_id, v1.Standing.STANDING_SUSPENDED, sequence)
        self.directory.add_status(status, self.at)

    # Calibrations -------------------------------------------------------------------------------

    def calibration(
        self, *, signed_by: str = EXCHANGE, roots: int = 2, **fields: Any
    ) -> v1.Envelope:
        """Return a calibration, declared from the licences of all providers, with nothing fitted.

        Signed by the exchange and ``roots`` of the three roots; ``directory.add_calibration`` puts it in use.
        """
        scales = {
            member.member_id: member.licence.score_scale
            for member in self.directory.members()
            if v1.Role.ROLE_PROVIDER in member.roles
        }
        given: dict[str, Any] = {
            "calibration_id": new_id(),
            "federation": self.name,
            "version": 1,
            "made_at": to_timestamp(self.at - 20 * DAY),
            "not_before": to_timestamp(self.at - 10 * DAY),
            "stale_from": to_timestamp(self.at + 300 * DAY),
            "points": POINTS,
            "report": v1.FitReport(method=METHOD),
        }
        if "model" not in fields:
            given["model"] = declare(scales, base_default_ppm=100_000)
        envelope = seal(v1.Calibration(**(given | fields)), signer(signed_by))
        for root in self.roots[:roots]:
            cosign(envelope, root)
        return envelope

    def calibrate(self, **fields: Any) -> OpenedCalibration:
        """Put a calibration in use, as ``calibration`` makes it, and return it."""
        envelope = self.calibration(**fields)
        self.directory.add_calibration(envelope, self.at)
        found = self.directory.calibration_by_digest(digest_of(envelope))
        assert found is not None
        return found

    # The subject's statements -------------------------------------------------------------------

    def subject(self, name: str = "ada", **fields: Any) -> Subject:
        """Return a person whose key is bound; ``fields`` are the binding's."""
        ref, key = hashlib.sha256(b"subject " + name.encode()).digest(), signer(f"wallet-{name}")
        given: dict[str, Any] = {
            "federation": self.name,
            "subject_ref": ref,
            "public_key": key.public_key,
            "version": 1,
            "not_before": to_timestamp(self.at - 30 * DAY),
            "not_after": to_timestamp(self.at + 300 * DAY),
        }
        binding = seal(v1.SubjectBinding(**(given | fields)), self.registrar_signer)
        return Subject(ref, key, binding)

    def consent(self, person: Subject, **fields: Any) -> "Granted":
        """Return a consent: full disclosure for a credit application, once, to the lender."""
        given: dict[str, Any] = {
            "consent_id": new_id(),
            "federation": self.name,
            "subject_ref": person.ref,
            "notice_hash": hashlib.sha256(b"notice").digest(),
            "notice_language": "en",
            "purpose": v1.Purpose.PURPOSE_CREDIT_APPLICATION,
            "recipient": LENDER,
            "providers": self.providers,
            "data_categories": [v1.DataCategory.DATA_CATEGORY_SCORE],
            "disclosure": v1.Disclosure(kind=v1.DisclosureKind.DISCLOSURE_KIND_FULL),
            "mode": v1.ConsentMode.CONSENT_MODE_ONCE,
            "max_uses": 1,
            "data_life_days": 30,
            "valid_from": to_timestamp(self.at - DAY),
            "valid_until": to_timestamp(self.at + 30 * DAY),
            "profile": v1.Profile.PROFILE_EU,
        }
        consent = v1.Consent(**(given | fields))
        return Granted(person, consent, seal(consent, person.signer))

    def periodic(
        self, person: Subject, uses: int = 1, max_uses: int = 10, **fields: Any
    ) -> "Granted":
        """Return a consent for ``max_uses`` uses, at most ``uses`` of them a day."""
        return self.consent(
            person,
            mode=v1.ConsentMode.CONSENT_MODE_PERIODIC,
            frequency=v1.Frequency(uses=uses, period=v1.Period.PERIOD_DAY),
            max_uses=max_uses,
            **fields,
        )

    def consent_event(
        self,
        granted: "Granted",
        kind: v1.ConsentEventKind.ValueType,
        sequence: int = 1,
        **fields: Any,
    ) -> v1.Envelope:
        """Return the subject's event about a consent."""
        given: dict[str, Any] = {
            "event_id": new_id(),
            "federation": self.name,
            "subject_ref": granted.person.ref,
            "consent_id": granted.consent.consent_id,
            "consent_digest": digest_of(granted.envelope),
            "kind": kind,
            "sequence": sequence,
            "decided_at": to_timestamp(self.at),
        }
        return seal(v1.ConsentEvent(**(given | fields)), granted.person.signer)

    # The lender's and the exchange's ------------------------------------------------------------

    def view_request(
        self, granted: "Granted", *, signed_by: str | None = None, **fields: Any
    ) -> v1.Envelope:
        """Return the lender's request for a view on the consent's own terms."""
        consent = granted.consent
        given: dict[str, Any] = {
            "request_id": new_id(),
            "federation": self.name,
            "lender": consent.recipient,
            "subject_ref": consent.subject_ref,
            "consent_digest": digest_of(granted.envelope),
            "purpose": consent.purpose,
            "disclosure": consent.disclosure,
            "issued_at": to_timestamp(self.at),
            "expires_at": to_timestamp(self.at + timedelta(minutes=1)),
        }
        request = v1.ViewRequest(**(given | fields))
        return seal(request, signer(signed_by or request.lender))

    def consent_status(
        self, granted: "Granted", *, signed_by: str = EXCHANGE, **fields: Any
    ) -> v1.Envelope:
        """Return the exchange's word that the consent is active."""
        given: dict[str, Any] = {
            "federation": self.name,
            "subject_ref": granted.consent.subject_ref,
            "consent_id": granted.consent.consent_id,
            "consent_digest": digest_of(granted.envelope),
            "state": v1.ConsentState.CONSENT_STATE_ACTIVE,
            "uses": 1,
            "binding_version": 1,
            "issued_at": to_timestamp(self.at),
        }
        return seal(v1.ConsentStatus(**(given | fields)), signer(signed_by))

    def score_request(
        self,
        granted: "Granted",
        request: v1.Envelope | None = None,
        status: v1.Envelope | None = None,
    ) -> v1.ScoreRequest:
        """Return what the exchange passes on to a provider."""
        request = request or self.view_request(granted)
        return v1.ScoreRequest(
            view_request=request,
            consent=granted.envelope,
            binding=granted.person.binding,
            consent_status=status or self.consent_status(granted),
            intent=self.intent(granted, request),
        )

    def intent(
        self,
        granted: "Granted",
        request: v1.Envelope,
        *,
        access_id: bytes | None = None,
        log: Ed25519Signer | None = None,
        at: datetime | None = None,
    ) -> v1.LogReceipt:
        """Return the log's receipt of letting ``request`` in."""
        record = intent_record(request, granted.consent, access_id or new_id(), at or self.at)
        kind = v1.LogEntryKind.LOG_ENTRY_KIND_ACCESS_INTENT
        return self.receipt(record, kind, log=log, at=at)

    def receipt(
        self,
        record: v1.LogRecord,
        kind: v1.LogEntryKind.ValueType,
        *,
        log: Ed25519Signer | None = None,
        at: datetime | None = None,
    ) -> v1.LogReceipt:
        """Return the receipt of any record, signed by the log unless ``log`` says otherwise."""
        return receipt_of(
            record,
            kind,
            origin=self.anchors.log.name,
            log=log or signer("log"),
            at=at or self.at,
        )

    def ask(self, granted: "Granted", request: v1.Envelope | None = None) -> v1.RequestViewRequest:
        """Return what the lender sends to the exchange."""
        return v1.RequestViewRequest(
            request=request or self.view_request(granted),
            consent=granted.envelope,
            binding=granted.person.binding,
        )

    def score_statement(
        self, provider: str, request: v1.Envelope, *, signed_by: str | None = None, **fields: Any
    ) -> v1.Envelope:
        """Return a provider's answer to ``request``; ``absence=...`` in ``fields`` makes it one."""
        given: dict[str, Any] = {
            "federation": self.name,
            "provider": provider,
            "request_digest": digest_of(request),
            "subject_ref": v1.ViewRequest.FromString(request.payload).subject_ref,
            "issued_at": to_timestamp(self.at),
            "salt": hashlib.sha256(provider.encode()).digest()[:16],
        }
        if "absence" not in fields:
            given |= {
                "score": 700,
                "reasons": REASONS,
                "model_version": "model-1",
                "as_of": to_timestamp(self.at - DAY),
            }
        return seal(v1.ScoreStatement(**(given | fields)), signer(signed_by or provider))

    def _rooted(self, statement: v1.Licence | v1.LicenceStatus, roots: int) -> v1.Envelope:
        envelope = seal(statement, self.roots[0])
        for root in self.roots[1:roots]:
            cosign(envelope, root)
        return envelope


@dataclass(frozen=True)
class Granted:
    """A consent, who gave it, and its envelope."""

    person: Subject
    consent: v1.Consent
    envelope: v1.Envelope


# Python 3.13 asks a CA for it, and for the identifiers of the keys in a chain.
_CA_USAGE = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)


class Pki:
    """A throw-away certificate authority for P-256 certificates of members."""

    def __init__(self, federation: str = NAME) -> None:
        self._federation = federation
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])
        now = datetime.now(UTC)
        certificate = (
            self._builder(self._name, self._key.public_key(), now - DAY, now + 30 * DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_CA_USAGE, critical=True)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False
            )
            .sign(self._key, hashes.SHA256())
        )
        self.ca_pem = certificate.public_bytes(serialization.Encoding.PEM).decode()

    def issue(
        self,
        member_id: str,
        *,
        not_after: datetime | None = None,
        uris: Iterable[str] | None = None,
    ) -> tuple[bytes, bytes]:
        """Return a member's certificate and private key, PEM; valid for thirty days."""
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.now(UTC)
        identities = uris or [f"spiffe://{self._federation}/member/{member_id}"]
        names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(uri) for uri in identities]
        names += [
            x509.DNSName(f"{member_id}.{self._federation}"),
            x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
        ]
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, member_id)])
        usages = [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]
        certificate = (
            self._builder(subject, key.public_key(), now - 2 * DAY, not_after or now + 30 * DAY)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
                critical=False,
            )
            .sign(self._key, hashes.SHA256())
        )
        return certificate.public_bytes(serialization.Encoding.PEM), key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, start: datetime, end: datetime
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(end)
        )
