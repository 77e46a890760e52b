"""What every check of an answer about listings shares: one error, and when the answer was made."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp

from concordat.clock import MAX_SKEW, from_timestamp
from concordat.refusal import Refusal, refusing_untrusted
from concordat.v1 import Reason
from concordat.verify.mismatch import MismatchError


class AnswerBroken(Exception):  # noqa: N818 - read as a finding
    """An answer about listings does not hold; the text says why, ``reason`` which statement's refusal it is."""

    def __init__(self, detail: str, reason: Reason.ValueType = Reason.REASON_UNSPECIFIED) -> None:
        """Find it broken."""
        super().__init__(detail)
        self.reason = reason


def made_at(issued: Timestamp, at: datetime) -> datetime:
    """Return when an answer says that it was made; raise ``MismatchError`` where that is after ``at``."""
    made = from_timestamp(issued)
    if made > at + MAX_SKEW:
        raise MismatchError(f"it says that it was made at {made}")
    return made


@contextmanager
def finding() -> Iterator[None]:
    """Turn what is raised under it into ``AnswerBroken``."""
    try:
        with refusing_untrusted():
            yield
    except Refusal as refusal:
        detail = refusal.detail or Reason.Name(refusal.reason)
        raise AnswerBroken(detail, refusal.reason) from refusal
    except MismatchError as error:
        raise AnswerBroken(str(error)) from error
