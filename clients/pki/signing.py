"""Collecting root signatures by hand: each regulator signs on its own machine, offline."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from clients.pki.errors import PkiError
from clients.pki.files import DRAFT_SUFFIX, SUFFIX, read_envelope, replace_file
from concordat import v1
from concordat.federation.anchors import Anchors
from concordat.federation.directory import open_licence, open_status
from concordat.refusal import Refusal
from concordat.statements import cosign
from concordat.trust.envelope import parse_statement, payload_type_of
from concordat.trust.errors import StatementMalformedError
from concordat.trust.keys import Signer, key_id

RootStatement = v1.Licence | v1.LicenceStatus


@dataclass(frozen=True, slots=True)
class SigningProgress:
    """How far a statement has come."""

    path: Path
    signed: int
    needed: int

    @property
    def complete(self) -> bool:
        """Whether enough roots have signed."""
        return self.signed >= self.needed


def parse_root_statement(envelope: v1.Envelope) -> RootStatement:
    """Read a licence or a status without checking its signatures; raise ``PkiError``."""
    try:
        if envelope.payload_type == payload_type_of(v1.Licence):
            return parse_statement(v1.Licence, envelope.payload)
        if envelope.payload_type == payload_type_of(v1.LicenceStatus):
            return parse_statement(v1.LicenceStatus, envelope.payload)
    except StatementMalformedError as error:
        raise PkiError(f"the statement is malformed: {error}") from error
    raise PkiError("root keys sign licences and licence statuses only; this is neither")


def rank_of(statement: RootStatement) -> int:
    """Return a licence's version or a status's sequence."""
    return statement.version if isinstance(statement, v1.Licence) else statement.sequence


def require_verified(envelope: v1.Envelope, anchors: Anchors, at: datetime) -> RootStatement:
    """Return a licence or status that enough roots signed; raise ``Refusal``."""
    if envelope.payload_type == payload_type_of(v1.Licence):
        return open_licence(envelope, anchors, at).licence
    return open_status(envelope, anchors, at).message


def add_signature(path: Path, signer: Signer, anchors: Anchors, at: datetime) -> SigningProgress:
    """Add one root's signature to the statement in ``path`` and write it back.

    Once enough have signed, ``….draft.env`` becomes ``….env``. Raises ``PkiError`` for a key that
    is no root, a root that has signed already, a statement of another federation, or one that a
    later statement has overtaken.
    """
    envelope = read_envelope(path)
    cosign_as_root(envelope, path, signer, anchors)
    return save_signed(envelope, path, anchors, at)


def cosign_as_root(envelope: v1.Envelope, path: Path, signer: Signer, anchors: Anchors) -> None:
    """Add a root's signature to what was read from ``path``. Raises ``PkiError`` as ``add_signature``."""
    statement = parse_root_statement(envelope)
    if statement.federation != anchors.federation:
        raise PkiError(
            f"{path} is of federation {statement.federation!r}; "
            f"this trust bundle is of {anchors.federation!r}"
        )
    signer_id = key_id(signer.public_key)
    if signer.public_key not in anchors.bundle.root_keys:
        raise PkiError(f"key {signer_id} is no root of {anchors.federation}")
    if any(signature.keyid == signer_id for signature in envelope.signatures):
        raise PkiError(f"root {signer_id} has signed {path} already; another root must")
    cosign(envelope, signer)


def save_signed(
    envelope: v1.Envelope, path: Path, anchors: Anchors, at: datetime
) -> SigningProgress:
    """Write a statement with its signatures back to ``path``, without ``.draft`` once there are enough."""
    needed = anchors.bundle.root_threshold
    signed = count_signatures(envelope, anchors, at)
    return save_statement(envelope, path, SigningProgress(path, signed, needed))


def count_signatures(envelope: v1.Envelope, anchors: Anchors, at: datetime) -> int:
    """Return how many distinct roots' signatures verify, up to the threshold."""
    for threshold in range(anchors.bundle.root_threshold, 0, -1):
        lowered = v1.TrustBundle()
        lowered.CopyFrom(anchors.bundle)
        lowered.root_threshold = threshold
        try:
            require_verified(envelope, Anchors.of(lowered), at)
        except Refusal:
            continue
        return threshold
    return 0


def save_statement(envelope: v1.Envelope, path: Path, progress: SigningProgress) -> SigningProgress:
    """Write a statement to ``path``; a draft that is complete loses its ``.draft``."""
    if not (progress.complete and path.name.endswith(DRAFT_SUFFIX)):
        replace_file(path, envelope.SerializeToString())
        return progress
    final = path.with_name(path.name.removesuffix(DRAFT_SUFFIX) + SUFFIX)
    if final.exists():
        known = rank_of(parse_root_statement(read_envelope(final)))
        if known >= rank_of(parse_root_statement(envelope)):
            raise PkiError(f"{final} is newer than this draft; make a new draft")
    replace_file(final, envelope.SerializeToString())
    path.unlink(missing_ok=True)
    return SigningProgress(final, progress.signed, progress.needed)
