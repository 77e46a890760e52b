"""A reviewer's rulings in its folder: signed once, kept before they are sent, sent again with the same bytes.

rulings/<dispute id>.pending.env    signed, and not known to be answered
rulings/<dispute id>.env            taken in
"""

from pathlib import Path

from google.protobuf.message import DecodeError

from clients.sdk.errors import ClientError
from concordat import v1
from concordat.durable import write_durably
from concordat.v1 import RulingOutcome

RULINGS = "rulings"
_PENDING, _DONE = ".pending.env", ".env"


class RulingFile:
    """Where the ruling on one dispute lies."""

    def __init__(self, folder: Path, dispute_id: bytes) -> None:
        """Keep it in the reviewer's ``folder``."""
        self._folder = folder / RULINGS
        self._pending = self._folder / f"{dispute_id.hex()}{_PENDING}"
        self._done = self._folder / f"{dispute_id.hex()}{_DONE}"

    @classmethod
    def waiting(cls, folder: Path, id_or_prefix: str) -> "RulingFile | None":
        """Return the one that was signed and not answered on the dispute whose id begins so; else None."""
        wanted = id_or_prefix.strip().lower()
        found = [
            path.name.removesuffix(_PENDING)
            for path in (folder / RULINGS).glob(f"*{_PENDING}")
            if wanted and path.name.startswith(wanted)
        ]
        return cls(folder, bytes.fromhex(found[0])) if len(found) == 1 else None

    def signed_before(self, outcome: RulingOutcome.ValueType, reasons: str) -> v1.Envelope | None:
        """Return the ruling signed before and not answered, to be sent again; None where there is none.

        Raises ``ClientError`` where another was signed, and perhaps taken in.
        """
        try:
            kept = v1.Envelope.FromString(self._pending.read_bytes())
            ruling = v1.Ruling.FromString(kept.payload)
        except FileNotFoundError:
            return None
        except (OSError, DecodeError) as error:
            raise ClientError(f"cannot read {self._pending}: {error}") from error
        if (ruling.outcome, ruling.reasons) != (outcome, reasons):
            raise ClientError(
                "another ruling on this dispute was signed before, and may have been taken in: "
                f"{self._pending}; hand in that one again, or move it away"
            )
        return kept

    def keep(self, ruling: v1.Envelope) -> None:
        """Write it, durably, before it is sent; raise ``ClientError`` if that can't be."""
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            write_durably(self._pending, ruling.SerializeToString())
        except OSError as error:
            raise ClientError(f"cannot write {self._pending}: {error.strerror}") from error

    def taken(self) -> None:
        """Note that it was taken in."""
        self._pending.replace(self._done)

    def forget(self) -> None:
        """Forget a ruling that was refused for good."""
        self._pending.unlink(missing_ok=True)
