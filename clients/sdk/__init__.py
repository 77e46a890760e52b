"""Typed clients of a federation, synchronous and asyncio; every answer is verified before it is given.

with LenderClient(load_anchors(path), load_identity(folder, anchors)) as lender:
view = lender.request_view(Permission(consent, binding))
print(view.score().full.points)  # raises PartialView where a provider is missing
"""

from clients.sdk.accesses import AccessList
from clients.sdk.aio_client import (
    AioLenderClient,
    AioMemberClient,
    AioOperatorClient,
    AioRegulatorClient,
    AioReviewerClient,
    AioWalletClient,
)
from clients.sdk.client import (
    LenderClient,
    MemberClient,
    OperatorClient,
    RegulatorClient,
    ReviewerClient,
    WalletClient,
)
from clients.sdk.consent_record import ConsentRecord
from clients.sdk.errors import (
    AnswerNotVerified,
    ClientError,
    NoScoreStated,
    PartialView,
    WalletError,
)
from clients.sdk.events import EventReport, Told, sign_event
from clients.sdk.identity import MemberIdentity, load_identity
from clients.sdk.listing_checks import ListingCheck
from clients.sdk.listing_store import ListingStore
from clients.sdk.monitor import BandChanged, Monitor, Notice, ReviewMissed
from clients.sdk.monitor_state import MonitorState
from clients.sdk.notice import NoticeLanguageError, notice_hash, render_notice
from clients.sdk.outcome_events import Decision, OutcomeRefused, OutcomeReport
from clients.sdk.own_listings import OwnListings
from clients.sdk.permission_file import dump_permission, load_permission
from clients.sdk.reviews import Review
from clients.sdk.screening import Screened, ScreenedBatch
from clients.sdk.streaming import StreamedView, ViewRefused
from clients.sdk.subject_outbox import Posted
from clients.sdk.terms import ConsentTerms, make_consent
from clients.sdk.views import LenderView, Permission
from clients.sdk.wallet import HeldConsent, WalletKey
from clients.sdk.wallet_file import WalletFolder
from concordat.rpc.errors import RemoteError
from concordat.verify.own_view import VerifiedOwnView

__all__ = [
    "AccessList",
    "AioLenderClient",
    "AioMemberClient",
    "AioOperatorClient",
    "AioRegulatorClient",
    "AioReviewerClient",
    "AioWalletClient",
    "AnswerNotVerified",
    "BandChanged",
    "ClientError",
    "ConsentRecord",
    "ConsentTerms",
    "Decision",
    "EventReport",
    "HeldConsent",
    "LenderClient",
    "LenderView",
    "ListingCheck",
    "ListingStore",
    "MemberClient",
    "MemberIdentity",
    "Monitor",
    "MonitorState",
    "NoScoreStated",
    "Notice",
    "NoticeLanguageError",
    "OperatorClient",
    "OutcomeRefused",
    "OutcomeReport",
    "OwnListings",
    "PartialView",
    "Permission",
    "Posted",
    "RegulatorClient",
    "RemoteError",
    "Review",
    "ReviewMissed",
    "ReviewerClient",
    "Screened",
    "ScreenedBatch",
    "StreamedView",
    "Told",
    "VerifiedOwnView",
    "ViewRefused",
    "WalletClient",
    "WalletError",
    "WalletFolder",
    "WalletKey",
    "dump_permission",
    "load_identity",
    "load_permission",
    "make_consent",
    "notice_hash",
    "render_notice",
    "sign_event",
]
