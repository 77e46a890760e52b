"""The trust bundle, from which every chain starts."""

import json
from dataclasses import dataclass
from pathlib import Path

from google.protobuf import json_format

from concordat import v1
from concordat.refusal import Refusal
from concordat.trust.envelope import validate
from concordat.trust.errors import MalformedNoteError, StatementMalformedError
from concordat.trust.keys import KeyRing
from concordat.trust.note import COSIGNATURE_V1, ED25519, VerifierKey
from concordat.v1 import Reason


class TrustBundleError(Exception):
    """The trust bundle file cannot be used; the text says why."""


@dataclass(frozen=True, slots=True)
class Anchors:
    """A trust bundle, ready for checking with."""

    bundle: v1.TrustBundle
    roots: KeyRing
    registrar: KeyRing
    log: VerifierKey
    witnesses: tuple[VerifierKey, ...]

    @classmethod
    def of(cls, bundle: v1.TrustBundle) -> "Anchors":
        """Wrap a bundle that was handed over out of band; raise ``TrustBundleError`` if it breaks its bounds."""
        try:
            validate(bundle)
            witnesses = tuple(VerifierKey.parse(text) for text in bundle.witnesses)
        except (StatementMalformedError, MalformedNoteError) as error:
            raise TrustBundleError(str(error)) from error
        if any(key.algorithm != COSIGNATURE_V1 for key in witnesses):
            raise TrustBundleError("a witness's key is of type 0x04, cosignature/v1")
        return cls(
            bundle,
            KeyRing(*bundle.root_keys),
            KeyRing(bundle.registrar_key),
            VerifierKey(bundle.log_origin, ED25519, bundle.log_key),
            witnesses,
        )

    @property
    def federation(self) -> str:
        """The federation's name."""
        return self.bundle.federation

    def require_federation(self, federation: str) -> None:
        """Raise ``Refusal`` (REASON_WRONG_FEDERATION) unless a statement is of this federation."""
        if federation != self.federation:
            raise Refusal(Reason.REASON_WRONG_FEDERATION, f"a statement of {federation!r}")

    def tls_identity(self, member_id: str) -> str:
        """Return the URI that a member's TLS certificates carry."""
        return f"spiffe://{self.federation}/member/{member_id}"

    def server_name(self, member_id: str) -> str:
        """Return the DNS name that a member's TLS certificates carry, whatever host it runs on.

        Clients demand this name, so that no other member's certificate passes for the one dialled.
        """
        return f"{member_id}.{self.federation}"


def load_anchors(path: Path) -> Anchors:
    """Read a trust bundle from its JSON file; raise ``TrustBundleError`` if that can't be."""
    try:
        bundle = json_format.Parse(path.read_text("utf-8"), v1.TrustBundle())
    except OSError as error:
        raise TrustBundleError(f"cannot read the trust bundle {path}: {error.strerror}") from error
    except (json_format.ParseError, UnicodeDecodeError) as error:
        raise TrustBundleError(f"{path} is no trust bundle: {error}") from error
    return Anchors.of(bundle)


def save_bundle(bundle: v1.TrustBundle, path: Path) -> None:
    """Write a trust bundle as indented JSON."""
    path.write_text(json.dumps(json_format.MessageToDict(bundle), indent=2) + "\n", "utf-8")
