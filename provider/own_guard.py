"""Whether this provider may state a score to the person whose it is: checked here alone, the exchange untrusted.

Pure: no clock, no database, no network. As in ``provider.guard`` only the last step makes an ``OwnPermitted``.
No consent is needed, no use is counted, and a freeze hides nothing from the person that placed it.
"""

from dataclasses import dataclass
from datetime import datetime

from concordat import v1
from concordat.federation.anchors import Anchors
from concordat.refusal import Refusal
from concordat.trust.envelope import Verified
from concordat.v1 import Reason
from concordat.verify.consent import open_binding, open_own_view_request
from concordat.verify.receipt import open_receipt, require_own_look_of
from provider.guard import require_newest_binding

_PASSED = object()


@dataclass(frozen=True, slots=True)
class OwnChecked:
    """A person's own request that every signature and date allows."""

    request: Verified[v1.OwnViewRequest]
    binding: v1.SubjectBinding
    receipt: bytes  # the proof that the look is in the log, serialised

    @property
    def subject_ref(self) -> bytes:
        """The subject, 32 bytes."""
        return self.binding.subject_ref


class OwnPermitted:
    """An own request that may be answered. Only ``permit_own`` makes one."""

    __slots__ = ("checked",)

    def __init__(self, checked: OwnChecked, token: object) -> None:
        """Refuse anyone but ``permit_own``."""
        if token is not _PASSED:
            raise TypeError("only permit_own makes an OwnPermitted")
        self.checked = checked


def check_own(
    ask: v1.RequestOwnScoresRequest, *, provider: str, anchors: Anchors, at: datetime
) -> OwnChecked:
    """Verify the subject's key and signature, that ``provider`` is named, and that the look is logged.

    Raises ``Refusal``.
    """
    binding = open_binding(ask.binding, anchors, at)
    request = open_own_view_request(ask.request, binding, anchors, at)
    if provider not in request.message.providers:
        raise Refusal(Reason.REASON_PROVIDER_NOT_NAMED, f"{provider} is not named")
    require_own_look_of(open_receipt(ask.intent, anchors), request)
    receipt = ask.intent.SerializeToString(deterministic=True)
    return OwnChecked(request, binding.message, receipt)


def permit_own(checked: OwnChecked, newest_binding: int, answered: bytes | None) -> OwnPermitted:
    """Hold ``checked`` against what this provider knows by itself. Raises ``Refusal``.

    ``newest_binding`` is the latest version of the subject's binding seen here; ``answered`` the digest of the
    request that was answered under this id, None where there is none.
    """
    require_newest_binding(checked.binding, newest_binding)
    if answered is not None and answered != checked.request.digest:
        raise Refusal(Reason.REASON_REPLAYED_WITH_OTHER_BYTES)
    return OwnPermitted(checked, _PASSED)
