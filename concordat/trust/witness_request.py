"""What a log asks a witness: the body of add-checkpoint (https://c2sp.org/tlog-witness, v1.0.0)."""

from dataclasses import dataclass

from concordat.trust.checkpoint import Checkpoint
from concordat.trust.errors import MalformedNoteError
from concordat.trust.note import MAX_DECIMAL, MAX_NOTE_BYTES, SignedNote, decimal, lines_of
from concordat.trust.proof_lines import MAX_PROOF, check_proof, encode_proof, parse_proof

_OLD = b"old "
_HASH_LINE_BYTES = 45  # 44 characters of base64 and a newline
MAX_BODY_BYTES = MAX_NOTE_BYTES + 64 + MAX_PROOF * _HASH_LINE_BYTES


@dataclass(frozen=True, slots=True)
class AddCheckpoint:
    """The size the log believes the witness has, the consistency proof from it, and the new checkpoint.

    Nothing here was verified, and ``old_size`` may be past the checkpoint's size.
    """

    old_size: int
    proof: tuple[bytes, ...]
    note: bytes

    def __post_init__(self) -> None:
        """Refuse what the lines before the checkpoint cannot say."""
        if not 0 <= self.old_size <= MAX_DECIMAL:
            raise MalformedNoteError("the old size is from 0 to 2**63 - 1")
        check_proof(self.proof)

    def encode(self) -> bytes:
        """Return the request's body."""
        return b"%b%d\n%b\n%b" % (_OLD, self.old_size, encode_proof(self.proof), self.note)

    @classmethod
    def parse(cls, raw: bytes) -> "AddCheckpoint":
        """Parse a body and see that a checkpoint ends it; raise ``MalformedNoteError``."""
        if len(raw) > MAX_BODY_BYTES:
            raise MalformedNoteError(f"a request is no longer than {MAX_BODY_BYTES} bytes")
        head, _, note = raw.partition(b"\n\n")
        old, *lines = lines_of(head + b"\n")
        if not old.startswith(_OLD):
            raise MalformedNoteError(
                "a request begins with the old size, and an empty line ends its proof"
            )
        Checkpoint.parse(SignedNote.parse(note).text)
        return cls(decimal(old.removeprefix(_OLD)), parse_proof(lines), note)
