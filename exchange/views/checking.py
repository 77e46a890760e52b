"""Checking an ask before anything is recorded: every envelope verifies, and the consent covers it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from concordat.refusal import Refusal
from concordat.verify.consent import (
    open_binding,
    open_consent,
    require_consent_covers,
    require_consent_in_force,
)
from concordat.verify.request import open_view_request
from exchange.views.admit import Checked, Rejected

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from concordat import v1
    from concordat.federation.anchors import Anchors
    from concordat.federation.directory import Member


def check_ask(
    ask: v1.RequestViewRequest,
    lender: Member,
    anchors: Anchors,
    at: datetime,
    require_releases: Callable[[v1.Consent], None],
) -> Checked | Rejected | Refusal:
    """Verify an ask; ``require_releases`` says whether the consent covers what this call releases.

    A ``Rejected`` is the lender's own request, and the subject sees the attempt; a ``Refusal`` is nobody's.
    """
    try:
        request = open_view_request(ask.request, lender, anchors, at)
    except Refusal as refusal:
        return refusal  # whom it is about is not proved
    consent_id = b""
    try:
        binding = open_binding(ask.binding, anchors, at)
        consent = open_consent(ask.consent, binding, anchors, at)
        consent_id = consent.message.consent_id
        require_consent_covers(consent, request.message)
        require_releases(consent.message)
        require_consent_in_force(consent.message, at)
    except Refusal as refusal:
        return Rejected(request, consent_id, refusal, at)
    return Checked(ask, request, consent, binding, lender.licence_digest, at)
