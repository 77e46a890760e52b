"""ConsentService: translates; every request is signed by the subject."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

from concordat import v1
from concordat.federation.purposes import require_purpose_allows
from concordat.rpc.admission import current_call
from concordat.statements import seal
from concordat.telemetry.metrics import REVOCATION_SECONDS
from concordat.v1 import ConsentEventKind
from concordat.v1.consent_service_pb2_grpc import ConsentServiceServicer
from concordat.verify.consent import (
    open_binding,
    open_consent,
    open_consent_event,
    open_subject_request,
    require_consent_in_force,
)
from exchange.consents import ledger, table
from exchange.consents.status import status_from_ids, status_of

if TYPE_CHECKING:
    from concordat.federation.anchors import Anchors
    from concordat.rpc.aio_server import Context
    from concordat.store.group_commit import GroupCommit
    from concordat.trust.keys import Signer

PAGE = 100


class ConsentServicer(ConsentServiceServicer):
    """Answers wallets on the public port."""

    def __init__(self, anchors: Anchors, store: GroupCommit, signer: Signer) -> None:
        """Keep consents in ``store`` and sign their status with ``signer``."""
        self._anchors = anchors
        self._store = store
        self._signer = signer

    async def GrantConsent(
        self, request: v1.GrantConsentRequest, context: Context
    ) -> v1.GrantConsentResponse:
        """Put a consent on record."""
        del context
        at = current_call().at
        binding = open_binding(request.binding, self._anchors, at)
        consent = open_consent(request.consent, binding, self._anchors, at)
        require_consent_in_force(consent.message, at)
        require_purpose_allows(consent.message)
        standing = await self._store.arun(
            lambda connection: ledger.grant(
                connection, consent, request.consent, binding, request.binding, at
            )
        )
        return v1.GrantConsentResponse(status=seal(status_of(consent, standing, at), self._signer))

    async def SubmitConsentEvent(
        self, request: v1.SubmitConsentEventRequest, context: Context
    ) -> v1.SubmitConsentEventResponse:
        """Pause, resume or revoke."""
        del context
        at, began = current_call().at, perf_counter()
        binding = open_binding(request.binding, self._anchors, at)
        event = open_consent_event(request.event, binding, self._anchors, at)
        standing = await self._store.arun(
            lambda connection: ledger.apply_event(
                connection, event, request.event, binding, request.binding, at
            )
        )
        if event.message.kind == ConsentEventKind.CONSENT_EVENT_KIND_REVOKE:
            REVOCATION_SECONDS.observe(perf_counter() - began)
        status = status_from_ids(event.message, standing, at)
        return v1.SubmitConsentEventResponse(status=seal(status, self._signer))

    async def ListConsents(
        self, request: v1.ListConsentsRequest, context: Context
    ) -> v1.ListConsentsResponse:
        """Show the subject its own consents."""
        del context
        at = current_call().at
        binding = open_binding(request.binding, self._anchors, at)
        query = v1.SubjectQuery.SUBJECT_QUERY_CONSENTS
        asked = open_subject_request(request.request, query, binding, self._anchors, at)
        subject = asked.message.subject_ref
        known, records = await self._store.arun(
            lambda connection: (
                table.binding_versions(connection, [subject]).get(subject),
                table.page(connection, subject, request.after, PAGE + 1),
            )
        )
        ledger.require_latest_binding(known, binding.message)
        return v1.ListConsentsResponse(consents=records[:PAGE], more=len(records) > PAGE)
