"""One federation's trust in one folder: make it, add members, license and suspend them."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from clients.pki.certificates import BACKDATED, CertificateAuthority
from clients.pki.errors import PkiError
from clients.pki.files import (
    TRUST_BUNDLE,
    MemberFiles,
    make_folder,
    read_envelope,
    replace_file,
    save_public_key,
    write_secret,
)
from clients.pki.licences import LicenceSpec
from clients.pki.roots import RootOffice
from clients.pki.signing import SigningProgress
from concordat import v1
from concordat.federation.anchors import Anchors, TrustBundleError, load_anchors, save_bundle
from concordat.rpc.tls import TlsIdentity
from concordat.trust.errors import KeyFileError
from concordat.trust.keys import Ed25519Signer
from concordat.trust.sealed import SealingKey

_MEMBER_ID = re.compile(r"[a-z][a-z0-9-]{1,62}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """Where the exchange and the registrar are reached, "host:port" each; may be empty at first.

    ``log`` is the HTTP prefix at which anyone reads the log.
    """

    exchange: str = ""
    exchange_public: str = ""
    registrar: str = ""
    registrar_public: str = ""
    log: str = ""


@dataclass(frozen=True, slots=True)
class WitnessTerms:
    """The federation's witnesses, by verifier key ("name+hash+base64"), and how many must cosign.

    ``urls`` are the HTTP prefixes at which they are asked: one for each key, in that order, or none.
    """

    keys: Sequence[str] = ()
    quorum: int = 0
    urls: Sequence[str] = ()


def utc_now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


class Pki:
    """A folder with a federation's keys. Keep it offline; members get their own folder only.

    Layout: ``trust-bundle.json``, ``roots/root-<n>.key``, ``ca/{ca.crt,ca.key}``, ``log.key``,
    ``members/<member_id>/{signing.key,signing.pub,sealing.key,tls.crt,tls.key,licence.env}``,
    of a regulator ``approver-<n>.{key,pub}`` too,
    ``statuses/<member_id>-<n>.env``. ``passphrase`` opens the roots' and the CA's keys; those of
    members and the log are plain, for servers that start alone.
    """

    def __init__(
        self,
        folder: Path,
        anchors: Anchors,
        passphrase: bytes | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self.folder = folder
        self.anchors = anchors
        self._passphrase = passphrase
        self._clock = clock

    @classmethod
    def create(  # noqa: PLR0913 - one call says all that a federation is; every one but two has a default
        cls,
        folder: Path,
        *,
        federation: str,
        roots: int = 3,
        threshold: int = 2,
        exchange_id: str = "exchange",
        registrar_id: str = "registrar",
        endpoints: Endpoints | None = None,
        witnesses: WitnessTerms | None = None,
        passphrase: bytes | None = None,
        days: int = 3650,
        clock: Callable[[], datetime] = utc_now,
    ) -> "Pki":
        """Make a federation: roots, CA (for ``days``), log key, exchange, registrar, trust bundle.

        Raises ``PkiError`` where the folder is not empty, or a name or number is out of bounds.
        """
        if folder.exists() and any(folder.iterdir()):
            raise PkiError(f"{folder} is not empty; name a new folder")
        if not 1 <= threshold <= roots:
            raise PkiError(f"a threshold of {threshold} does not fit {roots} roots")
        endpoints, witnesses = endpoints or Endpoints(), witnesses or WitnessTerms()
        signers = [Ed25519Signer.generate() for _ in range(roots)]
        log, exchange, registrar = (Ed25519Signer.generate() for _ in range(3))
        authority = CertificateAuthority.create(federation, clock(), days)
        bundle = v1.TrustBundle(
            federation=federation,
            root_keys=[signer.public_key for signer in signers],
            root_threshold=threshold,
            log_key=log.public_key,
            log_origin=f"{federation}/log",
            log_url=endpoints.log,
            witnesses=witnesses.keys,
            witness_urls=witnesses.urls,
            witness_quorum=witnesses.quorum,
            registrar_key=registrar.public_key,
            tls_ca_pem=authority.certificate_pem.decode(),
            exchange_id=exchange_id,
            exchange_endpoint=endpoints.exchange,
            exchange_public_endpoint=endpoints.exchange_public,
            registrar_endpoint=endpoints.registrar,
            registrar_public_endpoint=endpoints.registrar_public,
            registrar_id=registrar_id,
        )
        pki = cls(folder, _anchors_of(bundle), passphrase, clock)
        pki._write_roots(signers, authority, log)
        pki.add_member(exchange_id, signer=exchange)
        pki.add_member(registrar_id, signer=registrar)
        save_bundle(bundle, folder / TRUST_BUNDLE)
        return pki

    def _write_roots(
        self,
        signers: Sequence[Ed25519Signer],
        authority: CertificateAuthority,
        log: Ed25519Signer,
    ) -> None:
        for name in ("roots", "ca", "members", "statuses"):
            make_folder(self.folder / name)
        for number, signer in enumerate(signers, 1):
            signer.save(self.folder / "roots" / f"root-{number}.key", self._passphrase)
        log.save(self.folder / "log.key", None)
        write_secret(self.folder / "ca" / "ca.key", authority.key_pem(self._passphrase))
        replace_file(self.folder / "ca" / "ca.crt", authority.certificate_pem)

    @classmethod
    def open(
        cls,
        folder: Path,
        passphrase: bytes | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> "Pki":
        """Open a folder that ``create`` made; raise ``PkiError`` where there is none."""
        if not (folder / TRUST_BUNDLE).is_file():
            raise PkiError(f"{folder} holds no federation; make one with: concordat pki init")
        try:
            return cls(folder, load_anchors(folder / TRUST_BUNDLE), passphrase, clock)
        except TrustBundleError as error:
            raise PkiError(str(error)) from error

    # Members -----------------------------------------------------------------------------------

    def member(self, member_id: str) -> MemberFiles:
        """Return where a member's files lie, made or not; raise ``PkiError`` for a bad id."""
        if not _MEMBER_ID.fullmatch(member_id):
            raise PkiError(
                f"{member_id!r} is no member id: lower-case letters, digits and hyphens, 2 to 63"
            )
        return MemberFiles(member_id, self.folder / "members" / member_id)

    def add_member(
        self,
        member_id: str,
        *,
        days: int = 365,
        signer: Ed25519Signer | None = None,
        passphrase: bytes | None = None,
    ) -> MemberFiles:
        """Make a member's keys and certificate; ``passphrase`` encrypts its signing key."""
        files = self.member(member_id)
        if files.public_key.exists() or files.signing_key.exists():
            raise PkiError(f"{member_id} has keys already, in {files.folder}")
        identity = self.issue_certificate(member_id, days=days)
        make_folder(files.folder)
        signer = signer or Ed25519Signer.generate()
        signer.save(files.signing_key, passphrase)
        save_public_key(files.public_key, signer.public_key)
        write_secret(files.tls_key, identity.private_key)
        replace_file(files.tls_certificate, identity.certificate)
        return files

    def add_sealing_key(self, member_id: str, passphrase: bytes | None = None) -> bytes:
        """Make the key that opens evidence sealed to a member; return its public half, for a licence.

        Raises ``PkiError`` where the member has no folder yet, or has such a key.
        """
        files, key = self.member(member_id), SealingKey.generate()
        if not files.folder.is_dir():
            raise PkiError(f"{member_id} has no keys yet; run: concordat pki member {member_id}")
        try:
            key.save(files.sealing_key, passphrase)
        except KeyFileError as error:
            raise PkiError(str(error)) from error
        return key.public_key

    def add_approvers(
        self, member_id: str, count: int, passphrase: bytes | None = None
    ) -> list[bytes]:
        """Make the keys of a regulator's officers; return their public halves, for a licence.

        In earnest each officer makes its own, and hands over ``approver-<n>.pub`` alone. Raises ``PkiError`` where
        the member has no folder yet, or has such keys.
        """
        files, made = self.member(member_id), list[bytes]()
        if not files.folder.is_dir():
            raise PkiError(f"{member_id} has no keys yet; run: concordat pki member {member_id}")
        for number in range(1, count + 1):
            signer = Ed25519Signer.generate()
            try:
                signer.save(files.approver_key(number), passphrase)
            except KeyFileError as error:
                raise PkiError(str(error)) from error
            save_public_key(files.approver_key(number).with_suffix(".pub"), signer.public_key)
            made.append(signer.public_key)
        return made

    def issue_certificate(
        self,
        member_id: str,
        *,
        days: int = 365,
        not_after: datetime | None = None,
        authority: CertificateAuthority | None = None,
    ) -> TlsIdentity:
        """Return a fresh TLS key and certificate in a member's name, written nowhere.

        ``not_after`` may lie in the past and ``authority`` may be a foreign one: for tests of what
        must be refused.
        """
        self.member(member_id)
        now = self._clock()
        until = not_after or now + timedelta(days=days)
        return (authority or self._authority()).issue(
            self.anchors.tls_identity(member_id),
            self.anchors.server_name(member_id),
            min(now - BACKDATED, until - timedelta(days=1)),
            until,
        )

    def signer(self, member_id: str, passphrase: bytes | None = None) -> Ed25519Signer:
        """Load a member's signing key; raise ``KeyFileError``."""
        return Ed25519Signer.load(self.member(member_id).signing_key, passphrase)

    def identity(self, member_id: str) -> TlsIdentity:
        """Load a member's TLS certificate and key; raise ``TlsFileError``."""
        files = self.member(member_id)
        return TlsIdentity.load(files.tls_certificate, files.tls_key)

    # Root-signed statements --------------------------------------------------------------------

    @property
    def roots(self) -> RootOffice:
        """The root keys of this folder, and what they sign."""
        return RootOffice(self.folder, self.anchors, self._passphrase)

    def issue_licence(self, spec: LicenceSpec) -> v1.Envelope:
        """Sign a licence with the threshold of roots and write it as the member's ``licence.env``.

        Its version is one above the latest. Raises ``PkiError`` where the roots at hand are too
        few or the terms break the licence's bounds.
        """
        return self.roots.sign_licence(self.member(spec.member_id), spec, self._clock())

    def draft_licence(self, spec: LicenceSpec, root: Ed25519Signer) -> SigningProgress:
        """Write a licence with one root's signature, for the others to add theirs."""
        return self.roots.draft_licence(self.member(spec.member_id), spec, root, self._clock())

    def status(
        self, member_id: str, standing: v1.Standing.ValueType, legal_basis: str
    ) -> v1.Envelope:
        """Sign a member's standing with the threshold of roots and write it under ``statuses/``."""
        files = self.member(member_id)
        return self.roots.sign_status(files, standing, legal_basis, self._clock())

    def draft_status(
        self,
        member_id: str,
        standing: v1.Standing.ValueType,
        legal_basis: str,
        root: Ed25519Signer,
    ) -> SigningProgress:
        """Write a status with one root's signature, for the others to add theirs."""
        files = self.member(member_id)
        return self.roots.draft_status(files, standing, legal_basis, root, self._clock())

    def status_path(self, member_id: str, sequence: int) -> Path:
        """Return where a complete status lies."""
        return self.roots.status_path(self.member(member_id), sequence)

    def licence(self, member_id: str) -> v1.Envelope:
        """Return a member's latest licence; raise ``PkiError`` where there is none."""
        return read_envelope(self.member(member_id).licence)

    def _authority(self) -> CertificateAuthority:
        try:
            certificate = (self.folder / "ca" / "ca.crt").read_bytes()
            private_key = (self.folder / "ca" / "ca.key").read_bytes()
        except OSError as error:
            raise PkiError(f"cannot read {error.filename}: {error.strerror}") from error
        return CertificateAuthority.load(certificate, private_key, self._passphrase)


def _anchors_of(bundle: v1.TrustBundle) -> Anchors:
    try:
        return Anchors.of(bundle)
    except TrustBundleError as error:
        raise PkiError(str(error)) from error
