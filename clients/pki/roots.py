"""The root keys at hand in one folder: signing licences and statuses with enough of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import count, islice
from pathlib import Path

from clients.pki.errors import PkiError
from clients.pki.files import (
    DRAFT_SUFFIX,
    SUFFIX,
    MemberFiles,
    read_envelope,
    read_public_key,
)
from clients.pki.licences import LicenceSpec, make_licence, make_status
from clients.pki.signing import (
    RootStatement,
    SigningProgress,
    parse_root_statement,
    rank_of,
    require_verified,
    save_statement,
)
from concordat import v1
from concordat.federation.anchors import Anchors
from concordat.refusal import Refusal
from concordat.statements import seal
from concordat.trust.errors import StatementMalformedError
from concordat.trust.keys import Ed25519Signer


@dataclass(frozen=True, slots=True)
class RootOffice:
    """What can be signed with the root keys that this folder holds."""

    folder: Path
    anchors: Anchors
    passphrase: bytes | None

    def signers(self) -> Iterator[Ed25519Signer]:
        """Yield the root keys, by number; raise ``KeyFileError`` for the first that won't open."""
        for path in sorted((self.folder / "roots").glob("root-*.key"), key=_number):
            yield Ed25519Signer.load(path, self.passphrase)

    def sign_licence(self, files: MemberFiles, spec: LicenceSpec, at: datetime) -> v1.Envelope:
        """Sign a licence with the threshold of roots and write it."""
        return self._sign(self._new_licence(files, spec, at), files.licence, at)

    def draft_licence(
        self, files: MemberFiles, spec: LicenceSpec, root: Ed25519Signer, at: datetime
    ) -> SigningProgress:
        """Write a licence with one root's signature."""
        return self._draft(self._new_licence(files, spec, at), files.licence_draft, root)

    def sign_status(
        self,
        files: MemberFiles,
        standing: v1.Standing.ValueType,
        legal_basis: str,
        at: datetime,
    ) -> v1.Envelope:
        """Sign a status with the threshold of roots and write it."""
        status = self._new_status(files, standing, legal_basis, at)
        return self._sign(status, self.status_path(files, status.sequence), at)

    def draft_status(
        self,
        files: MemberFiles,
        standing: v1.Standing.ValueType,
        legal_basis: str,
        root: Ed25519Signer,
        at: datetime,
    ) -> SigningProgress:
        """Write a status with one root's signature."""
        status = self._new_status(files, standing, legal_basis, at)
        return self._draft(status, self.status_path(files, status.sequence, DRAFT_SUFFIX), root)

    def _new_licence(self, files: MemberFiles, spec: LicenceSpec, at: datetime) -> v1.Licence:
        if not files.public_key.exists():
            raise PkiError(
                f"{files.member_id} has no keys yet; run: concordat pki member {files.member_id}"
            )
        version = 1 + max(_rank(files.licence), _rank(files.licence_draft))
        public_key = read_public_key(files.public_key)
        return make_licence(spec, self.anchors, public_key, version, at)

    def _new_status(
        self,
        files: MemberFiles,
        standing: v1.Standing.ValueType,
        legal_basis: str,
        at: datetime,
    ) -> v1.LicenceStatus:
        sequence = next(
            number
            for number in count(1)
            if not any(
                self.status_path(files, number, suffix).exists()
                for suffix in (SUFFIX, DRAFT_SUFFIX)
            )
        )
        return make_status(self.anchors, files.member_id, standing, legal_basis, sequence, at)

    def status_path(self, files: MemberFiles, sequence: int, suffix: str = SUFFIX) -> Path:
        """Return where a member's status lies, complete or as a draft."""
        return self.folder / "statuses" / f"{files.member_id}-{sequence}{suffix}"

    def _sign(self, statement: RootStatement, path: Path, at: datetime) -> v1.Envelope:
        needed = self.anchors.bundle.root_threshold
        signers = list(islice(self.signers(), needed))
        if len(signers) < needed:
            raise PkiError(
                f"{len(signers)} root keys are here and {needed} must sign; "
                "make a draft with --unsigned and collect signatures with: concordat pki sign"
            )
        envelope = _sealed(statement, *signers)
        try:
            require_verified(envelope, self.anchors, at)
        except Refusal as refusal:
            raise PkiError(f"the result would not be accepted: {refusal}") from refusal
        save_statement(envelope, path, SigningProgress(path, needed, needed))
        return envelope

    def _draft(self, statement: RootStatement, path: Path, root: Ed25519Signer) -> SigningProgress:
        if root.public_key not in self.anchors.bundle.root_keys:
            raise PkiError("this key is no root of the federation; name one with --root-key")
        needed = self.anchors.bundle.root_threshold
        return save_statement(_sealed(statement, root), path, SigningProgress(path, 1, needed))


def _sealed(statement: RootStatement, *signers: Ed25519Signer) -> v1.Envelope:
    try:
        return seal(statement, *signers)
    except StatementMalformedError as error:
        raise PkiError(f"these terms are not allowed: {error}") from error


def _rank(path: Path) -> int:
    return rank_of(parse_root_statement(read_envelope(path))) if path.exists() else 0


def _number(path: Path) -> int:
    digits = path.stem.removeprefix("root-")
    return int(digits) if digits.isdecimal() else 0
