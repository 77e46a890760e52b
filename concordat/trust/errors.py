"""What can be wrong with something that claims to be trusted."""


class TrustError(Exception):
    """Base of every verification failure; the text says what failed and carries no personal data."""


class StatementMalformedError(TrustError):
    """A payload is not what its type says, breaks a bound of its proto, or holds unknown fields."""


class SignatureInvalidError(TrustError):
    """A signature does not verify, its key is unknown or out of its validity, or too few keys signed."""


class KeyFileError(TrustError):
    """A key file cannot be read: missing, not PKCS#8, not Ed25519, or the passphrase is wrong."""


class MalformedNoteError(TrustError):
    """A note, key, checkpoint, tile, proof or witness request is not, to the byte, what C2SP says."""


class ProofInvalidError(TrustError):
    """A Merkle proof does not lead to the root."""


class SealInvalidError(TrustError):
    """What was sealed does not open: another key's, another dispute's, changed, or framed wrongly."""


class PlaintextTooLargeError(TrustError):
    """More than fits into one sealed attachment."""
