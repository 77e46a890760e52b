"""Asking witnesses to cosign a checkpoint: all at once, within a time limit, k of n being enough."""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

import httpx
import structlog

from concordat.telemetry.metrics import LOG_CHECKPOINTS
from concordat.trust import merkle
from concordat.trust.checkpoint import check_cosignature
from concordat.trust.errors import TrustError
from concordat.trust.merkle import ReadNode
from concordat.trust.note import (
    NoteSignature,
    SignedNote,
    VerifierKey,
    decimal,
    lines_of,
    parse_signature_lines,
)
from concordat.trust.witness_request import AddCheckpoint

_log = structlog.get_logger("concordat.witnesses")

_CONFLICT = 409
_MAX_ANSWER = 16 * 1024
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0


class WitnessError(Exception):
    """A witness did not cosign; the text says why."""


@dataclass(slots=True)
class Witness:
    """One witness: its key, where it is asked, and what is known of it."""

    key: VerifierKey
    url: str
    size: int = 0  # of the log, as it last cosigned it
    pause: float = 0.0
    not_before: float = 0.0  # monotonic
    busy: threading.Lock = field(default_factory=threading.Lock)


class Witnesses:
    """The federation's witnesses, as the sequencer asks them.

    One that stalls or errs is left alone for a while that doubles up to 30 s, so that it costs one time
    limit and not one a checkpoint. One that has seen a *larger* tree than ours has seen a rollback, and one
    that refuses our proof a fork: both are logged as errors and never counted. Nor is one that knows of a
    smaller tree than it has cosigned: its memory was restored from an old copy, and its word is worth
    nothing until its operator has explained it.
    """

    def __init__(
        self,
        witnesses: Sequence[tuple[VerifierKey, str]],
        quorum: int,
        seconds: float,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Ask ``witnesses`` (key, submission prefix); ``quorum`` of them within ``seconds`` are enough."""
        self._witnesses = [Witness(key, url.rstrip("/")) for key, url in witnesses]
        self._quorum = quorum
        self._seconds = seconds
        self._clock = clock
        # Answers are read as they come: nothing that a witness sends is unpacked.
        plain = {"accept-encoding": "identity"}
        self._client = httpx.Client(timeout=seconds, headers=plain) if witnesses else None
        self._pool = ThreadPoolExecutor(max(1, len(witnesses)), "witness")
        self.cosigned = 0  # checkpoints with a quorum, and without
        self.unwitnessed = 0

    @property
    def quorum(self) -> int:
        """How many are enough."""
        return self._quorum

    def cosign(self, note: bytes, size: int, read: ReadNode) -> list[NoteSignature]:
        """Return the cosignatures that came in time; fewer than ``quorum`` where too many are away."""
        if not self._quorum:
            return []
        now = self._clock()
        asked = [witness for witness in self._witnesses if witness.not_before <= now]
        # Proofs are made here: a reader of nodes is one thread's.
        jobs: list[Future[NoteSignature]] = []
        for witness in asked:
            if witness.busy.acquire(blocking=False):
                try:
                    request = _request(note, witness.size, size, read)
                    jobs.append(self._pool.submit(self._ask, witness, request, size, read))
                except BaseException:
                    witness.busy.release()
                    raise
        got = self._collect(jobs)
        if len(got) >= self._quorum:
            self.cosigned += 1
            LOG_CHECKPOINTS.add("yes")
        else:
            self.unwitnessed += 1
            LOG_CHECKPOINTS.add("no")
        return got

    def _collect(self, jobs: list[Future[NoteSignature]]) -> list[NoteSignature]:
        """Wait until enough have answered, or none can any more, or time is up."""
        ends = self._clock() + self._seconds
        waiting = set(jobs)
        got: list[NoteSignature] = []
        while waiting and len(got) < self._quorum and (left := ends - self._clock()) > 0:
            done, waiting = wait(waiting, timeout=left, return_when=FIRST_COMPLETED)
            got += [job.result() for job in done if job.exception() is None]
        return got

    def _ask(
        self, witness: Witness, request: AddCheckpoint, size: int, read: ReadNode
    ) -> NoteSignature:
        try:
            signature = self._submit(witness, request, size, read)
        except Exception as error:
            witness.pause = min(_LONGEST_PAUSE, 2 * witness.pause or _FIRST_PAUSE)
            witness.not_before = self._clock() + witness.pause
            _log.warning("witness_failed", witness=witness.key.name, detail=str(error)[:200])
            raise
        else:
            witness.size, witness.pause = size, 0.0
            return signature
        finally:
            witness.busy.release()

    def _submit(
        self, witness: Witness, request: AddCheckpoint, size: int, read: ReadNode
    ) -> NoteSignature:
        """Submit once, and once more where the witness says that it knows another size."""
        status, body = self._post(witness, request)
        known = _known_size(body) if status == _CONFLICT else None
        if known is not None and known < witness.size:
            _log.error("witness_forgot", witness=witness.key.name, known=known, had=witness.size)
            raise WitnessError(f"it has forgotten that it cosigned {witness.size} entries")
        if known is not None and known <= size and known != request.old_size:
            witness.size = known
            status, body = self._post(witness, _request(request.note, known, size, read))
        if status in (_CONFLICT, httpx.codes.UNPROCESSABLE_ENTITY):
            _log.error("log_disputed", witness=witness.key.name, known=known, ours=size)
            raise WitnessError(f"it has cosigned another tree than ours: {status}")
        if status != httpx.codes.OK:
            raise WitnessError(f"it answered {status}")
        return _cosignature(request.note, body, witness.key)

    def _post(self, witness: Witness, request: AddCheckpoint) -> tuple[int, bytes]:
        assert self._client is not None  # noqa: S101 - there is a witness
        ends = self._clock() + self._seconds  # the client's limit is for each part of the answer
        with self._client.stream(
            "POST", f"{witness.url}/add-checkpoint", content=request.encode()
        ) as response:
            body = b""
            for part in response.iter_raw():
                body += part
                if len(body) > _MAX_ANSWER:
                    raise WitnessError("its answer is too long")
                if self._clock() > ends:
                    raise WitnessError("its answer is too slow")
            return response.status_code, body

    def close(self) -> None:
        """Ask no more."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        if self._client is not None:
            self._client.close()


def _request(note: bytes, old_size: int, size: int, read: ReadNode) -> AddCheckpoint:
    proof = merkle.consistency_proof(old_size, size, read) if 0 < old_size < size else []
    return AddCheckpoint(min(old_size, size), tuple(proof), note)


def _known_size(body: bytes) -> int | None:
    """Return the size that a conflict names; None for one of another kind: two trees of one size."""
    try:
        (line,) = lines_of(body)
        return decimal(line)
    except (TrustError, ValueError):
        return None


def _cosignature(note: bytes, body: bytes, key: VerifierKey) -> NoteSignature:
    """Return the witness's own signature among the lines it sent; others are ignored."""
    text = SignedNote.parse(note).text
    for signature in parse_signature_lines(body):
        if key.made(signature):
            check_cosignature(text, signature, key)
            return signature
    raise WitnessError("its answer holds no cosignature of its key")
