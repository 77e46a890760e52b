"""Keys that a subject had before: what it signed with them while they were its own is its own still."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from concordat import v1
from concordat.clock import MAX_SKEW, from_timestamp
from concordat.federation.anchors import Anchors
from concordat.refusal import Refusal, refusing_untrusted
from concordat.trust.envelope import Verified, open_envelope
from concordat.v1 import Reason

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class FormerKeys:
    """Earlier bindings of one subject, verified, the newest first."""

    bindings: tuple[Verified[v1.SubjectBinding], ...] = ()

    def open_with(
        self,
        binding: Verified[v1.SubjectBinding],
        open_it: Callable[[Verified[v1.SubjectBinding]], T],
        at: datetime | None = None,
    ) -> T:
        """Return what ``open_it`` opens with the key of ``binding``, or else with one of those before.

        With ``at``, the time of what was signed, a former key counts only for what is from before it was
        replaced. Raises the ``Refusal`` that the present key gets.
        """
        try:
            return open_it(binding)
        except Refusal:
            follower = binding
            for former in self.bindings:
                replaced = from_timestamp(follower.message.not_before)
                follower = former
                if at is not None and at > replaced + MAX_SKEW:
                    continue
                try:
                    return open_it(former)
                except Refusal:
                    continue
            raise


NO_FORMER_KEYS = FormerKeys()


def open_former_keys(
    envelopes: Iterable[v1.Envelope],
    binding: Verified[v1.SubjectBinding],
    anchors: Anchors,
    at: datetime,
) -> FormerKeys:
    """Verify that the registrar bound these keys to the subject of ``binding`` before it. Raises ``Refusal``."""
    opened: list[Verified[v1.SubjectBinding]] = []
    for envelope in envelopes:
        with refusing_untrusted():
            former = open_envelope(envelope, v1.SubjectBinding, anchors.registrar, at)
        anchors.require_federation(former.message.federation)
        if former.message.subject_ref != binding.message.subject_ref:
            raise Refusal(Reason.REASON_BINDING_INVALID, "a former key is another subject's")
        if former.message.version < binding.message.version:
            opened.append(former)
    opened.sort(key=lambda each: each.message.version, reverse=True)
    return FormerKeys(tuple(opened))
