"""The one error that leaves a boundary: a reason of the closed list, and a detail for the log."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from concordat.trust.errors import SignatureInvalidError, StatementMalformedError
from concordat.v1 import Reason


class Refusal(Exception):  # noqa: N818 - a refusal is a normal answer, not an error of ours
    """Something is refused for ``reason``.

    ``detail`` is for the operator's log and is never sent; the caller gets the public message of
    ``concordat.rpc.errors.CATALOG``. ``retry_after`` is set where asking again later makes sense.
    """

    def __init__(
        self, reason: Reason.ValueType, detail: str = "", *, retry_after: timedelta | None = None
    ) -> None:
        """Refuse for ``reason``."""
        super().__init__(f"{Reason.Name(reason)}: {detail}" if detail else Reason.Name(reason))
        self.reason = reason
        self.detail = detail
        self.retry_after = retry_after


@contextmanager
def refusing_untrusted() -> Iterator[None]:
    """Turn ``concordat.trust``'s errors into the refusals that callers of a service get."""
    try:
        yield
    except StatementMalformedError as error:
        raise Refusal(Reason.REASON_STATEMENT_MALFORMED, str(error)) from error
    except SignatureInvalidError as error:
        raise Refusal(Reason.REASON_SIGNATURE_INVALID, str(error)) from error
