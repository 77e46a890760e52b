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
    """A score was asked for and there is none; ``partial`` if a provider is missing, so that there may yet be.

    A band or a threshold is told of all providers of the consent or not at all.
    """

    def __init__(self, *, partial: bool) -> None:
        """Have nothing to pool."""
        missing = "there is no score while a provider is missing; ask again later"
        super().__init__(missing if partial else "no provider stated a score; all answered")
        self.partial = partial


def may_pass(error: RemoteError) -> bool:
    """Tell whether the same request may succeed later: nobody answered, or not for good."""
    return not error.reason or CATALOG[error.reason].code in _AGAIN
