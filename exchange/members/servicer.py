"""MemberService: the directory, served."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from concordat import v1
from concordat.clock import to_timestamp
from concordat.refusal import Refusal
from concordat.rpc.admission import current_call
from concordat.v1.member_service_pb2_grpc import MemberServiceServicer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import datetime

    from concordat.rpc.aio_server import Context
    from exchange.members.keeper import MemberKeeper

WATCH_SECONDS = 0.2
HEARTBEAT_EVERY = 4  # looks
LISTED_CALIBRATIONS = 8


class MemberServicer(MemberServiceServicer):
    """Answers anyone who wants to know the members, and regulators who change them."""

    def __init__(self, keeper: MemberKeeper, stopping: asyncio.Event | None = None) -> None:
        """Serve what ``keeper`` holds; open streams end when ``stopping`` is set."""
        self._keeper = keeper
        self._stopping = stopping or asyncio.Event()
        self._directory = keeper.directory

    async def ListMembers(
        self, request: v1.ListMembersRequest, context: Context
    ) -> v1.ListMembersResponse:
        """Return every licence and status, and the calibrations that a view may rest on now or soon."""
        del request, context
        return v1.ListMembersResponse(
            licences=[member.licence_envelope for member in self._directory.members()],
            statuses=self._directory.status_envelopes(),
            calibrations=self._listed(current_call().at),
        )

    def _listed(self, at: datetime) -> list[v1.Envelope]:
        """Return the calibration in use, later ones, and the one before: views that just went out rest on it."""
        every = self._directory.calibrations()
        first = 0
        with contextlib.suppress(Refusal):  # none is in use yet
            first = max(every.index(self._directory.calibration(at)) - 1, 0)
        return [opened.envelope for opened in every[first : first + LISTED_CALIBRATIONS]]

    async def WatchMembers(
        self, request: v1.WatchMembersRequest, context: Context
    ) -> AsyncIterator[v1.WatchMembersResponse]:
        """Send the directory, then what is new, and a heartbeat at least once a second."""
        del request, context
        revision, quiet = -1, 0
        licences: set[bytes] = set()
        statuses: set[bytes] = set()
        while not self._stopping.is_set():
            news = v1.WatchMembersResponse(sent_at=to_timestamp(current_call().at))
            if revision != self._directory.revision:
                revision = self._directory.revision
                members = self._directory.members()
                news.licences.extend(
                    m.licence_envelope for m in members if m.licence_digest not in licences
                )
                licences.update(m.licence_digest for m in members)
                envelopes = self._directory.status_envelopes()
                news.statuses.extend(e for e in envelopes if e.payload not in statuses)
                statuses.update(e.payload for e in envelopes)
            if news.licences or news.statuses or quiet == 0:
                yield news
            quiet = (quiet + 1) % HEARTBEAT_EVERY
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(WATCH_SECONDS):
                    await self._stopping.wait()

    async def SubmitLicence(
        self, request: v1.SubmitLicenceRequest, context: Context
    ) -> v1.SubmitLicenceResponse:
        """Take in a licence."""
        del context
        await self._keeper.add_licence(request.licence, current_call().at)
        return v1.SubmitLicenceResponse()

    async def SubmitLicenceStatus(
        self, request: v1.SubmitLicenceStatusRequest, context: Context
    ) -> v1.SubmitLicenceStatusResponse:
        """Take in a status."""
        del context
        await self._keeper.add_status(request.status, current_call().at)
        return v1.SubmitLicenceStatusResponse()

    async def SubmitCalibration(
        self, request: v1.SubmitCalibrationRequest, context: Context
    ) -> v1.SubmitCalibrationResponse:
        """Take in a calibration."""
        del context
        await self._keeper.add_calibration(request.calibration, current_call().at)
        return v1.SubmitCalibrationResponse()
