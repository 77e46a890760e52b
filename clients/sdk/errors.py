"""What can go wrong for a client, beside ``RemoteError`` (the other side refused, or is not there)."""

import grpc

from concordat import v1
from concordat.rpc.errors import CATALOG, RemoteError

_AGAIN = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.INTERNAL,
}


class ClientError(Exception):
    """Base of the errors of this package; the text says what failed and what to do."""


class WalletError(ClientError):
    """A wallet's folder cannot be used, or does not hold what was asked for."""


class AnswerNotVerified(ClientError):  # noqa: N818 - read as a finding
    """A peer's answer does not hold; nothing of it was believed."""


class PartialView(ClientError):  # noqa: N818 - read as a finding
    """A score was asked for and providers are missing; ``missing`` says which and why."""

    def __init__(self, missing: list[v1.ProviderOutcome]) -> None:
        """Miss the answers of ``missing``."""
        names = ", ".join(outcome.provider for outcome in missing)
        super().__init__(
            f"the view is partial, without {names}; accept it as such, or ask again later"
        )
        self.missing = missing


class NoScoreStated(ClientError):  # noqa: N818 - read as a finding
    """A score was asked for and no provider stated one; ``partial`` if one may yet."""

    def __init__(self, *, partial: bool) -> None:
        """Have nothing to pool."""
        hope = "a provider is missing, ask again later" if partial else "all providers answered"
        super().__init__(f"no provider stated a score; {hope}")
        self.partial = partial


def may_pass(error: RemoteError) -> bool:
    """Tell whether the same request may succeed later: nobody answered, or not for good."""
    return not error.reason or CATALOG[error.reason].code in _AGAIN
