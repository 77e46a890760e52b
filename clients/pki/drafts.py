"""Drafts as files: a licence or status with the signatures that it has so far, and what was in force before it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from google.protobuf.message import DecodeError

from clients.pki.errors import PkiError
from clients.pki.files import DRAFT_SUFFIX, SUFFIX, replace_file
from clients.pki.proposals import InForce
from clients.pki.signing import (
    RootStatement,
    cosign_as_root,
    parse_root_statement,
    rank_of,
    require_verified,
)
from concordat import v1
from concordat.federation.anchors import Anchors
from concordat.federation.directory import MemberDirectory
from concordat.refusal import Refusal
from concordat.statements import envelope_of
from concordat.trust.envelope import payload_type_of, validate
from concordat.trust.errors import StatementMalformedError
from concordat.trust.keys import Signer, key_id

BEFORE_SUFFIX = ".before"


@dataclass(frozen=True, slots=True)
class Draft:
    """A statement with the signatures that it has so far, and what was in force when it was proposed.

    ``now`` is None where the file beside it that says so is not at hand.
    """

    path: Path
    envelope: v1.Envelope
    statement: RootStatement
    now: InForce | None


def write_draft(folder: Path, statement: RootStatement, now: InForce) -> Path:
    """Write an unsigned draft, and beside it what is in force; return its path. Raises ``PkiError``."""
    try:
        validate(statement)
    except StatementMalformedError as error:
        raise PkiError(f"these terms are not allowed: {error}") from error
    stem = stem_of(statement)
    path = folder / (stem + DRAFT_SUFFIX)
    for taken in (path, folder / (stem + SUFFIX)):
        if taken.exists():
            raise PkiError(f"{taken} exists; move it away, or sign and submit that one")
    payload = statement.SerializeToString(deterministic=True)
    envelope = envelope_of(payload_type_of(type(statement)), payload, [])
    replace_file(before_path(path), now.held.SerializeToString(deterministic=True))
    replace_file(path, envelope.SerializeToString())
    return path


def read_draft(path: Path, anchors: Anchors, at: datetime) -> Draft:
    """Read a draft with any number of signatures, or a complete statement. Raises ``PkiError``.

    What was in force is believed as far as the roots signed it, and only where the draft follows it.
    """
    try:
        envelope = v1.Envelope.FromString(path.read_bytes())
        if envelope.signatures:
            validate(envelope)
    except OSError as error:
        raise PkiError(f"cannot read {path}: {error.strerror}") from error
    except (DecodeError, StatementMalformedError) as error:
        raise PkiError(f"{path} holds no licence or status to be signed") from error
    statement = parse_root_statement(envelope)
    return Draft(path, envelope, statement, _before(path, statement, anchors, at))


def _before(path: Path, statement: RootStatement, anchors: Anchors, at: datetime) -> InForce | None:
    beside = before_path(path)
    if not beside.exists():
        return None
    directory = MemberDirectory(anchors)
    try:
        held = v1.ListMembersResponse.FromString(beside.read_bytes())
        directory.take(held.licences, held.statuses, at)
    except (DecodeError, Refusal) as error:
        raise PkiError(f"{beside} is not what the roots signed: {error}") from error
    now = InForce.of(directory, statement.member_id)
    before = now.before(statement)
    if rank_of(statement) != (rank_of(before) if before else 0) + 1:
        raise PkiError(f"{path} does not follow what is in force by {beside}; propose it anew")
    return now


def stem_of(statement: RootStatement) -> str:
    """Return how the files of a statement are called, but for their suffix: by whom it is of, and its number."""
    kind = "licence" if isinstance(statement, v1.Licence) else "status"
    return f"{statement.member_id}-{kind}-{rank_of(statement)}"


def before_path(path: Path) -> Path:
    """Return the file beside a draft, or a complete statement, that says what was in force before it."""
    stem = path.name.removesuffix(DRAFT_SUFFIX).removesuffix(SUFFIX)
    return path.with_name(stem + BEFORE_SUFFIX)


# Signatures -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Signatures:
    """Which roots signed a statement and which did not, by their numbers in the trust bundle, from 1."""

    signed: Sequence[int]
    missing: Sequence[int]
    needed: int
    faults: Sequence[str]  # signatures that count for nothing

    @property
    def complete(self) -> bool:
        """Whether enough roots have signed."""
        return len(self.signed) >= self.needed


def signatures_of(envelope: v1.Envelope, anchors: Anchors, at: datetime) -> Signatures:
    """Return whose signatures a statement bears. One that is repeated, broken or no root's is a fault."""
    ids = {key_id(key): number for number, key in enumerate(anchors.bundle.root_keys, 1)}
    signed: list[int] = []
    faults: list[str] = []
    for signature in envelope.signatures:
        number = ids.get(signature.keyid)
        if number is None:
            faults.append(f"{signature.keyid} is no root of {anchors.federation}")
        elif number in signed:
            faults.append(f"root {number} signed twice")
        elif not _verifies(envelope, signature, number, anchors, at):
            faults.append(f"the signature of root {number} is not of this statement")
        else:
            signed.append(number)
    missing = [number for number in ids.values() if number not in signed]
    return Signatures(sorted(signed), missing, anchors.bundle.root_threshold, faults)


def _verifies(
    envelope: v1.Envelope, signature: v1.Signature, number: int, anchors: Anchors, at: datetime
) -> bool:
    alone, lowered = v1.Envelope(), v1.TrustBundle()
    alone.CopyFrom(envelope)
    del alone.signatures[:]
    alone.signatures.append(signature)
    lowered.CopyFrom(anchors.bundle)
    key = anchors.bundle.root_keys[number - 1]
    del lowered.root_keys[:]
    lowered.root_keys.append(key)
    lowered.root_threshold = 1
    try:
        require_verified(alone, Anchors.of(lowered), at)
    except Refusal:
        return False
    return True


def root_name(number: int, anchors: Anchors) -> str:
    """Return how a root is told of: its number in the trust bundle and its key's id."""
    return f"root {number} ({key_id(anchors.bundle.root_keys[number - 1])})"


def require_signable(draft: Draft, signer: Signer, anchors: Anchors, at: datetime) -> v1.Envelope:
    """Return the draft with the signer's signature, for the file to be written. Raises ``PkiError``.

    It is what was read and shown; whatever lies in the file by now is not signed.
    """
    found = signatures_of(draft.envelope, anchors, at)
    require_clean(draft, found)
    signed = v1.Envelope()
    signed.CopyFrom(draft.envelope)
    cosign_as_root(signed, draft.path, signer, anchors)
    return signed


def require_clean(draft: Draft, found: Signatures) -> None:
    """Raise ``PkiError`` where a draft bears a signature that counts for nothing."""
    if found.faults:
        raise PkiError(f"{draft.path}: {'; '.join(found.faults)}. Propose it anew, and sign that")


def require_complete(draft: Draft, anchors: Anchors, at: datetime) -> None:
    """Raise ``PkiError`` unless enough roots signed, saying how many and whose signatures are missing."""
    found = signatures_of(draft.envelope, anchors, at)
    require_clean(draft, found)
    if found.complete:
        return
    lacking = found.needed - len(found.signed)
    names = ", ".join(root_name(number, anchors) for number in found.missing)
    raise PkiError(
        f"{draft.path} has {len(found.signed)} of {found.needed} signatures; {lacking} more "
        f"{'is' if lacking == 1 else 'are'} missing, of: {names}"
    )
