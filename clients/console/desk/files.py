"""What the desk keeps in its folder: cases while they are approved, and the ids of its orders.

No answer about a person is among it. Names of files come from what is in them, never from an upload's name.
"""

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

from google.protobuf.message import DecodeError

from clients.durable import write_durably
from clients.pki.files import SUFFIX
from clients.sdk.cases import case_of
from clients.sdk.errors import ClientError
from concordat import v1
from concordat.clock import from_timestamp
from concordat.trust.envelope import open_envelope
from concordat.trust.errors import TrustError
from concordat.trust.keys import KeyRing


@contextmanager
def held_alone(folder: Path) -> Iterator[None]:
    """Hold a desk's folder; raise ``ClientError`` where another desk has it: one journal has one writer."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(folder / ".lock", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _lock(descriptor, folder)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise ClientError(f"another desk runs with {folder}; name another --state") from error


class CaseFiles:
    """Cases that were proposed here, by id, with the signatures that they have so far."""

    def __init__(self, folder: Path) -> None:
        """Keep them in ``folder``."""
        self._folder = folder
        self._lock = Lock()

    def save(self, case: v1.Envelope) -> None:
        """Keep a case that was just proposed."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_durably(self._path(case_of(case).case_id), case.SerializeToString())

    def all(self) -> list[v1.Envelope]:
        """Return every case, the newest first (their ids begin with the time)."""
        paths = sorted(self._folder.glob(f"*{SUFFIX}"), reverse=True)
        return [v1.Envelope.FromString(path.read_bytes()) for path in paths]

    def find(self, case_id: bytes) -> v1.Envelope:
        """Return a case; raise ``ClientError`` where there is none such."""
        path = self._path(case_id)
        if not path.exists():
            raise ClientError("this desk has no such case")
        return v1.Envelope.FromString(path.read_bytes())

    def approve(self, case_id: bytes, uploaded: bytes, officer: str, approvers: KeyRing) -> int:
        """Add the signature of ``officer`` (a key id) from an uploaded copy; return how many there are.

        Nothing else of the upload is taken. Raises ``ClientError`` where it is another case, lacks the officer's
        signature, or the officer has signed already.
        """
        with self._lock:
            case = self.find(case_id)
            if any(each.keyid == officer for each in case.signatures):
                raise ClientError("you have approved this case already; another approver has to")
            case.signatures.append(_signature_of(case, uploaded, officer, approvers))
            write_durably(self._path(case_id), case.SerializeToString())
            return len(case.signatures)

    def _path(self, case_id: bytes) -> Path:
        return self._folder / f"{case_id.hex()}{SUFFIX}"


def _signature_of(
    case: v1.Envelope, uploaded: bytes, officer: str, approvers: KeyRing
) -> v1.Signature:
    given = _envelope(uploaded, "the file is no case; upload the one that you have signed")
    if (given.payload_type, given.payload) != (case.payload_type, case.payload):
        raise ClientError("the file is another case; download this one, sign that and upload it")
    mine = next((each for each in given.signatures if each.keyid == officer), None)
    if mine is None:
        raise ClientError(
            f"the file is not signed with the key that you signed in with ({officer}); each approver uploads "
            "its own"
        )
    alone = v1.Envelope(payload_type=case.payload_type, payload=case.payload, signatures=[mine])
    try:
        issued = from_timestamp(case_of(case).issued_at)
        open_envelope(alone, v1.CaseRequest, approvers, issued)
    except TrustError as error:
        raise ClientError(
            f"the signature does not count: {error}. Sign the case anew, with a key that counted when it was "
            "proposed"
        ) from error
    return mine


def _envelope(raw: bytes, otherwise: str) -> v1.Envelope:
    try:
        return v1.Envelope.FromString(raw)
    except DecodeError as error:
        raise ClientError(otherwise) from error


class OrderFile:
    """The ids of orders that this desk gave: by them alone the exchange tells how they stand."""

    def __init__(self, path: Path) -> None:
        """Keep them in ``path``, one a line."""
        self._path = path
        self._lock = Lock()

    def add(self, order_id: bytes) -> None:
        """Remember an order, before it is handed in."""
        with self._lock:
            lines = [*(each.hex() for each in self.latest(_MOST_ORDERS)), order_id.hex()]
            write_durably(self._path, ("\n".join(lines) + "\n").encode())

    def latest(self, most: int = 100) -> Sequence[bytes]:
        """Return the latest ids, 16 bytes each, oldest first."""
        if not self._path.exists():
            return []
        return [bytes.fromhex(line) for line in self._path.read_text("ascii").split()][-most:]


_MOST_ORDERS = 100_000
